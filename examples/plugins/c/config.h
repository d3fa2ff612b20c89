/* A binding's configuration: the gateway hands it over as JSON, and these
 * plugins take only texts, {"key":"text",…}. A bigger configuration wants a JSON
 * library. */

#ifndef CONFIG_H
#define CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

/* Bytes that belong to somebody else. */
struct text {
    const char *at;
    size_t length;
};

static inline bool text_equal(struct text one, struct text other)
{
    return one.length == other.length && memcmp(one.at, other.at, one.length) == 0;
}

/* Skip white space, then take `mark` if it comes next. */
static inline bool config_take(struct text *rest, char mark)
{
    while (rest->length > 0 && strchr(" \t\r\n", *rest->at) != NULL)
        rest->at++, rest->length--;
    if (rest->length == 0 || *rest->at != mark)
        return false;
    rest->at++, rest->length--;
    return true;
}

/* Take a text without escapes. */
static inline bool config_take_text(struct text *rest, struct text *found)
{
    if (!config_take(rest, '"'))
        return false;
    found->at = rest->at;
    while (rest->length > 0 && *rest->at != '"' && *rest->at != '\\')
        rest->at++, rest->length--;
    found->length = (size_t)(rest->at - found->at);
    return config_take(rest, '"');
}

/* Find the text of `key`; false when it is not there or is no plain text. */
static inline bool config_text(struct text json, const char *key, struct text *found)
{
    const struct text wanted = {key, strlen(key)};
    struct text name;
    if (!config_take(&json, '{'))
        return false;
    do {
        if (!config_take_text(&json, &name) || !config_take(&json, ':') ||
            !config_take_text(&json, found))
            return false;
        if (text_equal(name, wanted))
            return true;
    } while (config_take(&json, ','));
    return false;
}

#endif
