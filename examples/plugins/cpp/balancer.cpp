// A balancer that stays in its zone: of the endpoints that may be used, the
// least loaded one whose label `zone` is the configured one; when there is none,
// the least loaded of all.

#include <algorithm>
#include <limits>
#include <vector>

#include "scanning_balancer_cpp.h"

namespace {

/// What `Pick` finds in `load` for a slot that this attempt may not use.
constexpr auto UNUSABLE = std::numeric_limits<uint32_t>::max();

/// The zone to stay in.
std::string zone;
/// By slot: whether it is in that zone.
std::vector<bool> near;
/// Where the next scan begins, so that equally loaded endpoints take turns.
size_t start = 0;

/// Take `token` from the front, after any white space.
bool take(std::string_view &rest, std::string_view token) {
    rest.remove_prefix(std::min(rest.find_first_not_of(" \t\r\n"), rest.size()));
    if (!rest.starts_with(token)) return false;
    rest.remove_prefix(token.size());
    return true;
}

/// The text in `{"zone":"…"}`; none for anything else. A bigger configuration
/// wants a JSON library.
std::optional<std::string> zone_of(std::string_view json) {
    if (!take(json, "{") || !take(json, "\"zone\"") || !take(json, ":") || !take(json, "\""))
        return std::nullopt;
    const auto end = json.find_first_of("\"\\");
    if (end == std::string_view::npos) return std::nullopt;
    const std::string found(json.substr(0, end));
    json.remove_prefix(end);
    if (!take(json, "\"") || !take(json, "}")) return std::nullopt;
    return found;
}

} // namespace

// libc++ would first print what broke, and so import WASI for it.
void std::__libcpp_verbose_abort(const char *, ...) noexcept { __builtin_trap(); }

namespace exports::gatewright::plugin::scanning {

std::expected<void, ConfigError> Configure(wit::string config) {
    const auto found = zone_of(config.get_view());
    if (!found) {
        return std::unexpected(ConfigError{
            wit::string::from_view("zone"),
            wit::string::from_view("write only a text, such as { zone = \"a\" }"),
        });
    }
    zone = *found;
    return {};
}

void Update(wit::vector<Endpoint> endpoints) {
    near.clear();
    for (const auto &endpoint : endpoints.get_view()) {
        near.resize(std::max<size_t>(near.size(), endpoint.slot + 1));
        const auto label = ::gatewright::plugin::endpoints::Label(endpoint.slot, "zone");
        near[endpoint.slot] = label && label->get_view() == zone;
    }
}

void Eligible(wit::vector<uint32_t>) {
    // `load` in `Pick` says the same, and is newer.
}

std::optional<uint32_t> Pick(uint64_t, wit::vector<uint32_t> load) {
    const auto loads = load.get_view();
    std::optional<uint32_t> best;
    std::pair<bool, uint32_t> least;
    for (size_t step = 0; step < loads.size(); step++) {
        const auto slot = (start + step) % loads.size();
        if (loads[slot] == UNUSABLE) continue;
        // Far endpoints come after all near ones.
        const std::pair rank(slot >= near.size() || !near[slot], loads[slot]);
        if (!best || rank < least) {
            best = slot;
            least = rank;
        }
    }
    if (best) start = *best + 1;
    return best;
}

} // namespace exports::gatewright::plugin::scanning
