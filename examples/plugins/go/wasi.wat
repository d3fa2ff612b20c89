;; What Go's runtime asks of an operating system, answered without one: no
;; arguments, no environment, no files; a clock that counts how often it was
;; looked at, and the same random bytes in every instance. Waiting is a trap.

(module
  (import "env" "memory" (memory 0))

  ;; WASI's numbers for "done" and for "there is no such file".
  (global $done i32 (i32.const 0))
  (global $bad_file i32 (i32.const 8))

  ;; Nanoseconds; Go does not take 0 for an answer.
  (global $now (mut i64) (i64.const 0))

  (func $none (param $count i32) (param $bytes i32) (result i32)
    (i32.store (local.get $count) (i32.const 0))
    (i32.store (local.get $bytes) (i32.const 0))
    (global.get $done))
  (export "args_sizes_get" (func $none))
  (export "environ_sizes_get" (func $none))

  (func (export "args_get") (param i32 i32) (result i32) (global.get $done))
  (func (export "environ_get") (param i32 i32) (result i32) (global.get $done))

  (func (export "clock_time_get") (param $clock i32) (param $precision i64) (param $at i32) (result i32)
    (global.set $now (i64.add (global.get $now) (i64.const 1)))
    (i64.store (local.get $at) (global.get $now))
    (global.get $done))

  (func (export "random_get") (param $at i32) (param $length i32) (result i32)
    (memory.fill (local.get $at) (i32.const 42) (local.get $length))
    (global.get $done))

  (func (export "sched_yield") (result i32) (global.get $done))
  (func $nothing_can_wait (export "poll_oneoff") (param i32 i32 i32 i32) (result i32) (unreachable))
  (func (export "proc_exit") (param i32) (unreachable))

  (func (export "fd_close") (param i32) (result i32) (global.get $bad_file))
  (func (export "fd_fdstat_get") (param i32 i32) (result i32) (global.get $bad_file))
  (func (export "fd_fdstat_set_flags") (param i32 i32) (result i32) (global.get $bad_file))
  (func (export "fd_prestat_get") (param i32 i32) (result i32) (global.get $bad_file))
  (func (export "fd_prestat_dir_name") (param i32 i32 i32) (result i32) (global.get $bad_file))
  (func (export "fd_read") (param i32 i32 i32 i32) (result i32) (global.get $bad_file))
  (func (export "fd_write") (param i32 i32 i32 i32) (result i32) (global.get $bad_file)))
