# cmake -D SOURCE=folder -D HEADER=file -P FmdCommit.cmake: writes the git commit of the sources into a
# header. Runs in each build; the header changes, and what includes it, with the commit alone.
cmake_minimum_required(VERSION 3.25)
set(commit "unknown")
file(READ "${SOURCE}/cmake/commit.txt" archived) # git archive writes the commit into it
if(archived MATCHES "^[0-9a-f]+")
  string(SUBSTRING "${CMAKE_MATCH_0}" 0 12 commit)
endif()
find_program(GIT git)
if(GIT AND EXISTS "${SOURCE}/.git")
  execute_process(COMMAND "${GIT}" -C "${SOURCE}" describe --always --dirty --abbrev=12 --exclude=*
                  OUTPUT_VARIABLE found OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
  if(found)
    set(commit "${found}")
  endif()
endif()
file(CONFIGURE OUTPUT "${HEADER}" CONTENT "#define FMD_COMMIT \"${commit}\"\n")
