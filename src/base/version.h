/* The commit of the sources; fmd/version.h has the version. */
#ifndef FMD_BASE_VERSION_H
#define FMD_BASE_VERSION_H

/* Local. The git commit of the sources, with "-dirty" if files are changed; "unknown" if built from a
 * tarball. */
const char *fmd_version_commit(void);

#endif
