#pragma once

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Where a C99 compiler puts the members of hso.h's structs, in their order; the last entry of a struct is its size. */
struct layout_entry {
    const char* name;
    size_t offset;
};
extern const struct layout_entry layout[];
extern const size_t layout_entries;

#ifdef __cplusplus
}
#endif
