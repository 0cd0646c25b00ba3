#include "base/mem.h"

#include "base/system/procfs.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

/* Arrays of several large pages start at a page boundary, so that the kernel can use large pages. */
enum { LARGE_PAGE = 2 << 20, LARGE_BYTES = 4 * LARGE_PAGE };

fmd_status fmd_alloc(void *out, size_t count, size_t size, const char *what)
{
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes) || bytes > SIZE_MAX - FMD_ALIGN)
        return FMD_FAIL(FMD_ENOMEM, "out of memory: %zu times %zu bytes for %s", count, size, what);
    bytes = (bytes + FMD_ALIGN - 1) / FMD_ALIGN * FMD_ALIGN;
    if (bytes == 0)
        bytes = FMD_ALIGN;
    const size_t align = bytes < LARGE_BYTES ? FMD_ALIGN : LARGE_PAGE;
    void *p = aligned_alloc(align, (bytes + align - 1) / align * align);
    if (p == NULL)
        return FMD_FAIL(FMD_ENOMEM, "out of memory: %.1f MB for %s", (double)bytes / 1e6, what);
    const bool large = align == LARGE_PAGE;
    if (large) /* a hint, which may fail */
        (void)madvise(p, bytes, MADV_HUGEPAGE);
    /* Pages that nobody has touched are zero, and take no memory. */
    if (!large || madvise(p, (bytes + align - 1) / align * align, MADV_DONTNEED) != 0)
        memset(p, 0, bytes);
    memcpy(out, &p, sizeof p);
    return FMD_OK;
}

fmd_status fmd_mem_check(double bytes, const char *what, const char *cure)
{
    bool limited;
    const double left = fmd_procfs_memory("", &limited);
    if (bytes <= left)
        return FMD_OK;
    return FMD_FAIL(FMD_ENOMEM, "out of memory: %s needs %.2f GB, and %.2f GB are %s: %s", what,
                    bytes / 1e9, left / 1e9, limited ? "left by the control group" : "free", cure);
}
