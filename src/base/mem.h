/* Memory for vector code: zeroed and aligned to 64 bytes. */
#ifndef FMD_BASE_MEM_H
#define FMD_BASE_MEM_H

#include "fmd/error.h"

#include <stddef.h>

enum { FMD_ALIGN = 64 };

/* Local. *out receives `count` * `size` zeroed bytes, released by free(); `what` names them in the
 * message of FMD_ENOMEM. A product that overflows is FMD_ENOMEM too. */
FMD_CHECKED fmd_status fmd_alloc(void *out, size_t count, size_t size, const char *what);

/* Local. FMD_ENOMEM if `what` needs more `bytes` than this machine or the control groups of this
 * process have free; otherwise the kernel would kill a process later. `cure` ends the message. */
FMD_CHECKED fmd_status fmd_mem_check(double bytes, const char *what, const char *cure);

#endif
