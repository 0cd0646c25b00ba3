/* The findings of doctor, and its checks. */
#ifndef FMD_CLI_DOCTOR_DOCTOR_H
#define FMD_CLI_DOCTOR_DOCTOR_H

#include <stdbool.h>
#include <stdint.h>

typedef enum fmd_grade { FMD_FINE, FMD_WARN, FMD_PROBLEM } fmd_grade;

/* One line: the topic, the finding, and unless it is fine the cure. */
typedef struct fmd_finding {
    int grade; /* fmd_grade */
    char topic[16], text[512], cure[256];
} fmd_finding;

enum { FMD_FINDINGS = 32 };

/* Plain bytes, so that they can be gathered from the hosts. */
typedef struct fmd_findings {
    int n;
    fmd_finding item[FMD_FINDINGS];
} fmd_findings;

/* Local. Adds a finding; the cure is left out where all is fine. */
void fmd_find(fmd_findings *f, fmd_grade grade, const char *topic, const char *cure,
              const char *format, ...) __attribute__((format(printf, 5, 6)));

/* The needs of a training on this machine. */
typedef struct fmd_needs {
    double total_bytes;  /* of all ranks on the machine, with the data */
    double shared_bytes; /* of them in memory that the ranks share */
    int ranks, threads;  /* ranks on the machine, threads of each */
    const char *host;
} fmd_needs;

/* Local. User, container, processor, memory, limits of control groups, the environment. `root` goes
 * before the names of system files: "" but in tests. */
void fmd_doctor_machine(fmd_findings *f, const char *root, const fmd_needs *needs);

/* Local. Shared memory and session folders of jobs that were killed. */
void fmd_doctor_leftovers(fmd_findings *f, const char *root);

/* Local. Whether runs can be kept in `folder`, or where it is not there yet in the one that it would
 * be made in: rights, space, locks, kind of file system. */
void fmd_doctor_folder(fmd_findings *f, const char *folder);

#endif
