;; A balancer that stays in its zone: of the endpoints that may be used, the
;; least loaded one whose label `zone` is the configured one; when there is
;; none, the least loaded of all.
;;
;; By hand against the canonical ABI: texts and lists arrive as an address and a
;; length in memory that `cabi_realloc` gave, and what is more than one number
;; goes back through the address of a record.

(module
  ;; (slot, name, its length, where the `option<string>` goes)
  (import "gatewright:plugin/endpoints@0.1.0" "label"
    (func $label (param i32 i32 i32 i32)))

  ;; The first page: constants, then what is remembered. Everything above is
  ;; for arguments, and is given anew for each call.
  ;;      0  `{"zone":"`, before the configured zone
  ;;     16  `zone`
  ;;     32  what a refused configuration is told
  ;;    128  the result of `configure`, 20 bytes
  ;;    160  the result of `pick`, 8 bytes
  ;;    176  the answer of `label`, 12 bytes
  ;;    256  the zone, 256 bytes at most
  ;;   1024  by slot, whether it is in the zone: a byte for each of 4096, which
  ;;         is the most that a pool has
  ;;   8192  arguments
  (memory (export "memory") 1)
  (data (i32.const 0) "{\"zone\":\"")
  (data (i32.const 16) "zone")
  (data (i32.const 32) "write only a text of up to 256 bytes, such as { zone = \"a\" }")

  (global $zone_length (mut i32) (i32.const 0))
  ;; Where the next scan begins, so that equally loaded endpoints take turns.
  (global $start (mut i32) (i32.const 0))
  ;; Where the next argument goes.
  (global $free (mut i32) (i32.const 8192))

  (func (export "cabi_realloc")
    (param $old i32) (param $old_size i32) (param $align i32) (param $size i32) (result i32)
    (local $at i32)
    ;; Eight bytes is the strictest alignment that there is.
    (local.set $at
      (i32.and (i32.add (global.get $free) (i32.const 7)) (i32.const -8)))
    (global.set $free (i32.add (local.get $at) (local.get $size)))
    (block $fits
      (loop $grow
        (br_if $fits (i32.le_u (global.get $free)
          (i32.shl (memory.size) (i32.const 16))))
        (br_if $grow (i32.ne (memory.grow (i32.const 1)) (i32.const -1))))
      (unreachable))
    (local.get $at))

  (func $release (global.set $free (i32.const 8192)))

  ;; Whether two texts of one length are equal.
  (func $equal (param $one i32) (param $other i32) (param $length i32) (result i32)
    (block $done
      (loop $next
        (br_if $done (i32.eqz (local.get $length)))
        (local.set $length (i32.sub (local.get $length) (i32.const 1)))
        (br_if $next (i32.eq
          (i32.load8_u (i32.add (local.get $one) (local.get $length)))
          (i32.load8_u (i32.add (local.get $other) (local.get $length)))))
        (return (i32.const 0))))
    (i32.const 1))

  ;; Remember the zone in `{"zone":"…"}`; 0 if that is not what is there.
  (func $read_zone (param $at i32) (param $length i32) (result i32)
    (local $zone i32) (local $left i32)
    ;; Nine bytes before the zone, and `"}` after it.
    (if (i32.lt_u (local.get $length) (i32.const 11))
      (then (return (i32.const 0))))
    (if (i32.eqz (call $equal (local.get $at) (i32.const 0) (i32.const 9)))
      (then (return (i32.const 0))))
    (if (i32.ne (i32.const 0x7d22) (i32.load16_u
          (i32.sub (i32.add (local.get $at) (local.get $length)) (i32.const 2))))
      (then (return (i32.const 0))))
    (local.set $zone (i32.add (local.get $at) (i32.const 9)))
    (local.set $left (i32.sub (local.get $length) (i32.const 11)))
    (if (i32.gt_u (local.get $left) (i32.const 256))
      (then (return (i32.const 0))))
    (global.set $zone_length (local.get $left))
    (memory.copy (i32.const 256) (local.get $zone) (local.get $left))
    ;; No quotation mark and no escape inside.
    (block $done
      (loop $next
        (br_if $done (i32.eqz (local.get $left)))
        (local.set $left (i32.sub (local.get $left) (i32.const 1)))
        (if (i32.or
              (i32.eq (i32.load8_u offset=256 (local.get $left)) (i32.const 0x22))
              (i32.eq (i32.load8_u offset=256 (local.get $left)) (i32.const 0x5c)))
          (then (return (i32.const 0))))
        (br $next)))
    (i32.const 1))

  (func (export "gatewright:plugin/scanning@0.1.0#configure")
    (param $at i32) (param $length i32) (result i32)
    (i32.store8 (i32.const 128) (i32.const 0))
    (if (i32.eqz (call $read_zone (local.get $at) (local.get $length)))
      (then
        (i32.store8 (i32.const 128) (i32.const 1))
        (i32.store (i32.const 132) (i32.const 16))
        (i32.store (i32.const 136) (i32.const 4))
        (i32.store (i32.const 140) (i32.const 32))
        (i32.store (i32.const 144) (i32.const 60))))
    (call $release)
    (i32.const 128))

  ;; Whether a slot is in the zone.
  (func $is_near (param $slot i32) (result i32)
    (call $label (local.get $slot) (i32.const 16) (i32.const 4) (i32.const 176))
    (if (i32.eqz (i32.load8_u (i32.const 176)))
      (then (return (i32.const 0))))
    (if (i32.ne (i32.load (i32.const 184)) (global.get $zone_length))
      (then (return (i32.const 0))))
    (call $equal (i32.load (i32.const 180)) (i32.const 256) (global.get $zone_length)))

  (func (export "gatewright:plugin/scanning@0.1.0#update")
    (param $endpoint i32) (param $count i32)
    (local $slot i32)
    (memory.fill (i32.const 1024) (i32.const 0) (i32.const 4096))
    (block $done
      (loop $next
        (br_if $done (i32.eqz (local.get $count)))
        ;; The slot is the first field of the record, which has 28 bytes.
        (local.set $slot (i32.load (local.get $endpoint)))
        (if (i32.lt_u (local.get $slot) (i32.const 4096))
          (then (i32.store8 offset=1024 (local.get $slot) (call $is_near (local.get $slot)))))
        (local.set $endpoint (i32.add (local.get $endpoint) (i32.const 28)))
        (local.set $count (i32.sub (local.get $count) (i32.const 1)))
        (br $next)))
    (call $release))

  (func (export "gatewright:plugin/scanning@0.1.0#eligible") (param i32 i32)
    ;; The load in `pick` says the same, and is newer.
    (call $release))

  (func (export "gatewright:plugin/scanning@0.1.0#pick")
    (param $key i64) (param $load i32) (param $count i32) (result i32)
    (local $step i32) (local $slot i32) (local $active i32)
    (local $rank i64) (local $least i64)
    (local.set $least (i64.const -1))
    (block $done
      (loop $next
        (br_if $done (i32.ge_u (local.get $step) (local.get $count)))
        (local.set $slot (i32.rem_u
          (i32.add (global.get $start) (local.get $step)) (local.get $count)))
        (local.set $step (i32.add (local.get $step) (i32.const 1)))
        (local.set $active (i32.load
          (i32.add (local.get $load) (i32.shl (local.get $slot) (i32.const 2)))))
        ;; A slot that this attempt may not use has the largest number.
        (br_if $next (i32.eq (local.get $active) (i32.const -1)))
        ;; Far endpoints come after all near ones.
        (local.set $rank (i64.or
          (i64.extend_i32_u (local.get $active))
          (i64.shl (i64.extend_i32_u (call $is_far (local.get $slot))) (i64.const 32))))
        (if (i64.lt_u (local.get $rank) (local.get $least))
          (then
            (local.set $least (local.get $rank))
            (i32.store (i32.const 164) (local.get $slot))))
        (br $next)))
    (call $release)
    (i32.store8 (i32.const 160) (i64.ne (local.get $least) (i64.const -1)))
    (if (i32.load8_u (i32.const 160))
      (then (global.set $start (i32.add (i32.load (i32.const 164)) (i32.const 1)))))
    (i32.const 160))

  (func $is_far (param $slot i32) (result i32)
    (if (i32.ge_u (local.get $slot) (i32.const 4096))
      (then (return (i32.const 1))))
    (i32.eqz (i32.load8_u offset=1024 (local.get $slot)))))
