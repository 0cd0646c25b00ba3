/* The version of the library, and of the program: its one place. */
#ifndef FMD_VERSION_H
#define FMD_VERSION_H

#ifdef __cplusplus
extern "C" {
#endif

/* Of this header. */
#define FMD_VERSION_MAJOR 0
#define FMD_VERSION_MINOR 2
#define FMD_VERSION_PATCH 0

/* "0.2.0" */
#define FMD_VERSION FMD_VERSION_TEXT(FMD_VERSION_MAJOR, FMD_VERSION_MINOR, FMD_VERSION_PATCH)

#define FMD_VERSION_TEXT(major, minor, patch)  FMD_VERSION_WORDS(major, minor, patch)
#define FMD_VERSION_WORDS(major, minor, patch) #major "." #minor "." #patch

/* Local. The version of the library in use: "0.2.0". */
const char *fmd_version(void);

#ifdef __cplusplus
}
#endif

#endif
