/* fmnist-dist [COMMAND] [OPTIONS] */
#include "cli/run_command.h"

int main(int argc, char **argv)
{
    return (int)fmd_program_run(argc, argv);
}
