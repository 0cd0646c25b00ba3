/* Runs the jobs of a study one after another, each under a launcher of its own: mpirun, srun or
 * sbatch; or prints their commands.
 *
 * A job leaves FOLDER/NAME.ENDING, its output, complete or absent; NAME.err, its stderr; NAME.job, its
 * number in the queue of a batch system; NAME.failed, its exit code. */
#ifndef FMD_MEASURE_ENGINE_H
#define FMD_MEASURE_ENGINE_H

#include "base/system/subprocess.h"
#include "run/config.h"

#include <stdio.h>

enum { FMD_ENGINE_FOLDER = FMD_PATH_BYTES + 32, FMD_ENGINE_NAME = 96 };
enum { FMD_ENGINE_PATH = FMD_ENGINE_FOLDER + FMD_ENGINE_NAME + 16 };

/* In the order of FMD_STUDY_LAUNCHERS. */
typedef enum fmd_launcher {
    FMD_LAUNCH_MPIRUN,
    FMD_LAUNCH_SRUN,
    FMD_LAUNCH_SBATCH,
    FMD_LAUNCH_DRY,
} fmd_launcher;

typedef struct fmd_engine {
    const fmd_config *config; /* launcher, its options, oversubscription, threads */
    const char *study;        /* "scaling", "sweep": before the names of jobs in a queue */
    const char *ending;       /* of the output files: "json", "log" */
    char folder[FMD_ENGINE_FOLDER];
    char program[FMD_PATH_BYTES];
    FILE *progress; /* a line for each job that was run */
    int queued;     /* jobs that a batch system has not finished */
} fmd_engine;

typedef struct fmd_engine_job {
    char name[FMD_ENGINE_NAME]; /* letters, digits and "-_.=+" */
    int ranks;
    fmd_command_line words; /* arguments of this program */
} fmd_engine_job;

typedef enum fmd_job_state {
    FMD_JOB_NEW,
    FMD_JOB_COMPLETE,
    FMD_JOB_QUEUED,
    FMD_JOB_FAILED,
    FMD_JOB_PRINTED, /* its command */
} fmd_job_state;

/* Local. Sets the path of this program. The other members are the caller's. FMD_EIO. */
FMD_CHECKED fmd_status fmd_engine_open(fmd_engine *e, const fmd_config *config);

/* Local. FMD_EUSAGE if a launcher started this process, as `command` starts launchers itself. */
FMD_CHECKED fmd_status fmd_engine_check(const char *command);

/* Local. Makes the folder of a study, and in it `outputs`, the engine's; its config.json has the
 * options of `groups` but for those in `without`. Nothing is written to print commands only.
 * FMD_EBUSY: the folder holds a study with other options; FMD_EIO. */
FMD_CHECKED fmd_status fmd_engine_claim(fmd_engine *e, const char *folder, const char *outputs,
                                        const char *groups, const char *without);

/* Local. "FOLDER/NAME.ENDING". */
const char *fmd_engine_path(const fmd_engine *e, const char *name, const char *ending,
                            char path[FMD_ENGINE_PATH]);

/* Local. Whether the ranks exceed the cores of this machine; false if a batch system assigns the
 * nodes. */
bool fmd_engine_too_many_here(const fmd_engine *e, int ranks);

/* Local. Runs a job, submits it, or prints its command; a job with an output file is complete.
 * FMD_JOB_FAILED leaves the message of the job as the error text. FMD_ESTOPPED: by a signal; FMD_EUSAGE:
 * no launcher; FMD_EIO. */
FMD_CHECKED fmd_status fmd_engine_run(fmd_engine *e, const fmd_engine_job *job,
                                      fmd_job_state *state);

/* Local. The error line of a job's stderr, else its first line that is not a separator of mpirun. */
enum { FMD_JOB_MESSAGE = 256 };
void fmd_engine_message(const fmd_engine *e, const char *name, char text[FMD_JOB_MESSAGE]);

/* Local. Adds "--NAME=VALUE" for each option of `groups` that differs from its default, but for those
 * in `without` ("a|b"). FMD_EUSAGE: too long. */
FMD_CHECKED fmd_status fmd_engine_add_options(fmd_command_line *c, const fmd_config *config,
                                              const char *groups, const char *without);

#endif
