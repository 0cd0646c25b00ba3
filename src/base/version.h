/* Which program this is: FMD_VERSION is a macro for all, the commit lies in one file. */
#ifndef FMD_BASE_VERSION_H
#define FMD_BASE_VERSION_H

/* Local. The git commit of the sources, with "-dirty" where files are changed; "unknown" of a tarball. */
const char *fmd_version_commit(void);

#endif
