/* A router by cookie: requests that carry the cookie go to one pool, all others
 * to another, as one tries a new release with those who asked for it. */

#include "config.h"
#include "router.h"

/* The configuration's text, and the cookie's name in it. */
static router_string_t config;
static struct text cookie;

/* The pool of requests that carry the cookie, and that of all others. */
static uint32_t with, without;

static router_string_t borrowed(struct text text)
{
    return (router_string_t){(uint8_t *)text.at, text.length};
}

/* The pool that the configuration names under `key`. */
static bool pool(struct text json, const char *key, uint32_t *index)
{
    struct text name;
    if (!config_text(json, key, &name))
        return false;
    router_string_t text = borrowed(name);
    return gatewright_plugin_pools_index(&text, index);
}

static bool refuse(
    exports_gatewright_plugin_routing_config_error_t *error, const char *key, const char *reason)
{
    router_string_dup(&error->key, key);
    router_string_dup(&error->reason, reason);
    return false;
}

bool exports_gatewright_plugin_routing_configure(
    router_string_t *text, exports_gatewright_plugin_routing_config_error_t *error)
{
    config = *text;
    const struct text json = {(const char *)config.ptr, config.len};
    if (!config_text(json, "cookie", &cookie))
        return refuse(error, "cookie", "it must be the name of a cookie");
    if (!pool(json, "with", &with))
        return refuse(error, "with", "it must be the name of a pool");
    if (!pool(json, "without", &without))
        return refuse(error, "without", "it must be the name of a pool");
    return true;
}

void exports_gatewright_plugin_routing_route(router_string_t *method, router_string_t *authority,
    router_string_t *path, exports_gatewright_plugin_routing_decision_t *decision)
{
    router_string_t name = borrowed(cookie), value;
    const bool carries = gatewright_plugin_request_cookie(&name, &value);
    if (carries)
        router_string_free(&value);
    router_string_free(method);
    router_string_free(authority);
    router_string_free(path);
    decision->tag = EXPORTS_GATEWRIGHT_PLUGIN_ROUTING_DECISION_FORWARD;
    decision->val.forward = carries ? with : without;
}
