# cmake -D SOURCE=folder -D HEADER=file -P FmdCommit.cmake: writes the git commit of the sources into a
# header. Runs in each build; the header changes, and what includes it, with the commit alone.
cmake_minimum_required(VERSION 3.25)
set(commit "unknown") # a tarball, or no git
find_program(GIT git)
if(GIT AND EXISTS "${SOURCE}/.git")
  execute_process(COMMAND "${GIT}" -C "${SOURCE}" describe --always --dirty --abbrev=12 --exclude=*
                  OUTPUT_VARIABLE found OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
  if(found)
    set(commit "${found}")
  endif()
endif()
file(CONFIGURE OUTPUT "${HEADER}" CONTENT "#define FMD_COMMIT \"${commit}\"\n")
