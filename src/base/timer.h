/* Elapsed seconds from a monotonic clock. */
#ifndef FMD_BASE_TIMER_H
#define FMD_BASE_TIMER_H

/* Local. Seconds since an arbitrary point. */
double fmd_now(void);

#endif
