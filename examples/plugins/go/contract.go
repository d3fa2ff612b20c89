// The contract in Go, by the canonical ABI: a text or a list is an address and
// a length in memory that cabi_realloc gave, and what is more than one number
// goes back as the address of a record. Addresses have 32 bits here, and Go's
// own pointers 64.
package main

import (
	"fmt"
	"os"
	"runtime/debug"
	"structs"
	"unsafe"
)

type address uint32

func addressOf[T any](value *T) address {
	return address(uintptr(unsafe.Pointer(value)))
}

// A text or a list of bytes.
type text struct {
	_      structs.HostLayout
	at     address
	length uint32
}

func textOf(value string) text {
	return text{at: addressOf(unsafe.StringData(value)), length: uint32(len(value))}
}

func (t text) bytes() []byte {
	return list[byte](t.at, t.length)
}

func list[T any](at address, length uint32) []T {
	return unsafe.Slice((*T)(unsafe.Add(unsafe.Pointer(nil), at)), length)
}

// The record endpoint.
type endpoint struct {
	_      structs.HostLayout
	slot   uint32
	id     text
	host   text
	port   uint16
	weight uint32
}

// option<string>
type optionalText struct {
	_    structs.HostLayout
	some bool
	text text
}

// Host functions, by the names of the contract.

//go:wasmimport gatewright:plugin/endpoints@0.1.0 label
func hostLabel(slot uint32, name string, into *optionalText)

//go:wasmimport gatewright:plugin/log@0.1.0 write
func hostWrite(level uint32, message string)

var labelled optionalText

// A label of an endpoint, if it has one.
func label(slot uint32, name string) (string, bool) {
	hostLabel(slot, name, &labelled)
	if !labelled.some {
		return "", false
	}
	return string(labelled.text.bytes()), true
}

// Memory for what the host hands over, given anew for each call. What does not
// fit is made for the one call, and the next finds more.
var (
	arguments = make([]uint64, 1024)
	taken     uint32
	beyond    [][]uint64
	missing   uint32
)

// Everything is aligned to eight bytes, the strictest alignment that there is.
//
//go:wasmexport cabi_realloc
func realloc(_, _, _, size uint32) address {
	words := max(1, (size+7)/8)
	if taken+words > uint32(len(arguments)) {
		more := make([]uint64, words)
		beyond = append(beyond, more)
		missing += words
		return addressOf(&more[0])
	}
	at := addressOf(&arguments[taken])
	taken += words
	return at
}

// The end of every call: what was handed over is done with, and a panic is
// told to the plugin's log before it ends the instance.
func end() {
	if problem := recover(); problem != nil {
		hostWrite(0, fmt.Sprintf("panic: %v\n%s", problem, debug.Stack()))
		os.Exit(2)
	}
	taken = 0
	if missing > 0 {
		arguments = make([]uint64, uint32(len(arguments))+missing)
		beyond, missing = nil, 0
	}
}

// result<_, config-error>, and the texts in it: addresses keep nothing alive.
var (
	configured struct {
		_           structs.HostLayout
		failed      bool
		key, reason text
	}
	key, reason string
)

//go:wasmexport gatewright:plugin/scanning@0.1.0#configure
func exportConfigure(at address, length uint32) address {
	defer end()
	key, reason = configure(list[byte](at, length))
	configured.failed = reason != ""
	configured.key, configured.reason = textOf(key), textOf(reason)
	return addressOf(&configured)
}

//go:wasmexport gatewright:plugin/scanning@0.1.0#update
func exportUpdate(at address, count uint32) {
	defer end()
	update(list[endpoint](at, count))
}

//go:wasmexport gatewright:plugin/scanning@0.1.0#eligible
func exportEligible(_ address, _ uint32) {
	// The load in pick says the same, and is newer.
	defer end()
}

// option<slot>
var picked struct {
	_    structs.HostLayout
	some bool
	slot uint32
}

//go:wasmexport gatewright:plugin/scanning@0.1.0#pick
func exportPick(_ uint64, at address, count uint32) address {
	defer end()
	picked.slot, picked.some = pick(list[uint32](at, count))
	return addressOf(&picked)
}
