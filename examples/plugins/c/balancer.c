/* A balancer that stays in its zone: of the endpoints that may be used, the
 * least loaded one whose label `zone` is the configured one; when there is none,
 * the least loaded of all. */

#include <stdlib.h>

#include "config.h"
#include "scanning_balancer.h"

/* What `pick` finds in `load` for a slot that this attempt may not use. */
#define UNUSABLE UINT32_MAX

/* The configuration's text, and the zone in it. */
static scanning_balancer_string_t config;
static struct text zone;

/* By slot: whether it is in the zone. */
static bool *near;
static size_t near_length;

/* Where the next scan begins, so that equally loaded endpoints take turns. */
static size_t start;

bool exports_gatewright_plugin_scanning_configure(
    scanning_balancer_string_t *text, exports_gatewright_plugin_scanning_config_error_t *error)
{
    config = *text;
    const struct text json = {(const char *)config.ptr, config.len};
    if (config_text(json, "zone", &zone))
        return true;
    scanning_balancer_string_dup(&error->key, "zone");
    scanning_balancer_string_dup(&error->reason, "it must be a text, such as \"a\"");
    return false;
}

static bool is_near(uint32_t slot)
{
    scanning_balancer_string_t name, label;
    scanning_balancer_string_set(&name, "zone");
    if (!gatewright_plugin_endpoints_label(slot, &name, &label))
        return false;
    const bool equal = text_equal((struct text){(const char *)label.ptr, label.len}, zone);
    scanning_balancer_string_free(&label);
    return equal;
}

void exports_gatewright_plugin_scanning_update(
    exports_gatewright_plugin_scanning_list_endpoint_t *endpoints)
{
    near_length = 0;
    for (size_t at = 0; at < endpoints->len; at++)
        if (endpoints->ptr[at].slot >= near_length)
            near_length = endpoints->ptr[at].slot + 1;
    free(near);
    near = calloc(near_length + 1, sizeof *near);
    if (near == NULL)
        abort();
    for (size_t at = 0; at < endpoints->len; at++)
        near[endpoints->ptr[at].slot] = is_near(endpoints->ptr[at].slot);
    exports_gatewright_plugin_scanning_list_endpoint_free(endpoints);
}

void exports_gatewright_plugin_scanning_eligible(
    exports_gatewright_plugin_scanning_list_slot_t *slots)
{
    /* `load` in `pick` says the same, and is newer. */
    exports_gatewright_plugin_scanning_list_slot_free(slots);
}

bool exports_gatewright_plugin_scanning_pick(
    uint64_t key, scanning_balancer_list_u32_t *load, uint32_t *picked)
{
    (void)key;
    uint64_t least = UINT64_MAX;
    for (size_t step = 0; step < load->len; step++) {
        const size_t slot = (start + step) % load->len;
        if (load->ptr[slot] == UNUSABLE)
            continue;
        /* Far endpoints come after all near ones. */
        const bool far = slot >= near_length || !near[slot];
        const uint64_t rank = ((uint64_t)far << 32) | load->ptr[slot];
        if (rank < least) {
            least = rank;
            *picked = (uint32_t)slot;
        }
    }
    scanning_balancer_list_u32_free(load);
    if (least == UINT64_MAX)
        return false;
    start = *picked + 1;
    return true;
}
