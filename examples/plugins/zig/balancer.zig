//! A balancer that stays in its zone: of the endpoints that may be used, the
//! least loaded one whose label `zone` is the configured one; when there is none,
//! the least loaded of all.
//!
//! The exports follow the canonical ABI by hand: texts and lists arrive as an
//! address and a length in memory that `cabi_realloc` gave.

const std = @import("std");
const allocator = std.heap.wasm_allocator;

/// What `pick` finds in `load` for a slot that this attempt may not use.
const unusable = std.math.maxInt(u32);

/// The record `endpoint`.
const Endpoint = extern struct {
    slot: u32,
    id: Text,
    host: Text,
    port: u16,
    weight: u32,
};

const Text = extern struct {
    at: [*]const u8,
    length: usize,

    fn of(slice: []const u8) Text {
        return .{ .at = slice.ptr, .length = slice.len };
    }
};

/// `result<_, config-error>`.
const Configured = extern struct { failed: bool, key: Text, reason: Text };

/// `option<slot>`.
const Picked = extern struct { some: bool, slot: u32 };

/// `option<string>`.
const Label = extern struct { some: bool, text: Text };

extern "gatewright:plugin/endpoints@0.1.0" fn label(slot: u32, at: [*]const u8, length: usize, into: *Label) void;

extern "gatewright:plugin/log@0.1.0" fn write(level: u32, at: [*]const u8, length: usize) void;

/// The last words go to the plugin's log.
pub const panic = std.debug.FullPanic(struct {
    fn panic(message: []const u8, _: ?usize) noreturn {
        write(0, message.ptr, message.len);
        @trap();
    }
}.panic);

/// The zone to stay in.
var zone: []const u8 = "";
/// By slot: whether it is in that zone.
var near: []bool = &.{};
/// Where the next scan begins, so that equally loaded endpoints take turns.
var start: usize = 0;

var configured: Configured = undefined;
var picked: Picked = undefined;

/// What the host hands over lies here until the call that it is for has ended.
var arguments = std.heap.ArenaAllocator.init(allocator);

export fn cabi_realloc(_: ?[*]u8, _: usize, alignment: usize, size: usize) [*]u8 {
    const found = arguments.allocator().rawAlloc(size, .fromByteUnits(alignment), @returnAddress());
    return found orelse @trap();
}

fn release() void {
    _ = arguments.reset(.retain_capacity);
}

fn configure(at: [*]const u8, length: usize) callconv(.c) *const Configured {
    defer release();
    const Config = struct { zone: []const u8 };
    configured.failed = false;
    if (std.json.parseFromSliceLeaky(Config, allocator, at[0..length], .{ .allocate = .alloc_always })) |config| {
        zone = config.zone;
    } else |_| {
        configured = .{
            .failed = true,
            .key = .of("zone"),
            .reason = .of("write only a text, such as { zone = \"a\" }"),
        };
    }
    return &configured;
}

fn update(at: [*]const Endpoint, count: usize) callconv(.c) void {
    defer release();
    const endpoints = at[0..count];
    var size: usize = 0;
    for (endpoints) |endpoint| size = @max(size, endpoint.slot + 1);
    allocator.free(near);
    near = allocator.alloc(bool, size) catch @trap();
    @memset(near, false);
    for (endpoints) |endpoint| {
        var found: Label = undefined;
        label(endpoint.slot, "zone", "zone".len, &found);
        near[endpoint.slot] = found.some and std.mem.eql(u8, found.text.at[0..found.text.length], zone);
    }
}

fn eligible(_: [*]const u32, _: usize) callconv(.c) void {
    // `load` in `pick` says the same, and is newer.
    release();
}

fn pick(_: u64, at: [*]const u32, count: usize) callconv(.c) *const Picked {
    defer release();
    var least: u64 = std.math.maxInt(u64);
    for (0..count) |step| {
        const slot = (start + step) % count;
        if (at[slot] == unusable) continue;
        // Far endpoints come after all near ones.
        const far = slot >= near.len or !near[slot];
        const rank = @as(u64, @intFromBool(far)) << 32 | at[slot];
        if (rank < least) {
            least = rank;
            picked.slot = @intCast(slot);
        }
    }
    picked.some = least != std.math.maxInt(u64);
    if (picked.some) start = picked.slot + 1;
    return &picked;
}

comptime {
    const interface = "gatewright:plugin/scanning@0.1.0#";
    @export(&configure, .{ .name = interface ++ "configure" });
    @export(&update, .{ .name = interface ++ "update" });
    @export(&eligible, .{ .name = interface ++ "eligible" });
    @export(&pick, .{ .name = interface ++ "pick" });
}
