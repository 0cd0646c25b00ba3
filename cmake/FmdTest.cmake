# fmd_add_test(NAME SOURCES file... [LIBS target...] [LABELS label...] [NPROCS n...] [TIMEOUT s])
#
# Declares a cmocka program. Without NPROCS it runs alone; with it, once for each number of ranks
# under mpirun. fmd_add_script(NAME script... [LABELS ...] [TIMEOUT s]) declares a script.
#
# tests/support/alone gives each test an environment and folders of its own, and ends it after TIMEOUT
# seconds (600), which no machine should need; ctest itself would leave it no time to clean up.
get_property(absent GLOBAL PROPERTY fmd_absent_parts)
list(JOIN absent " " absent)
set(FMD_TEST_ENVIRONMENT "FMD_WITHOUT=${absent}"
  FMD_SOURCE_DIR=${PROJECT_SOURCE_DIR} FMD_PROGRAM=${CMAKE_BINARY_DIR}/fmnist-dist
  UBSAN_OPTIONS=print_stacktrace=1)

function(fmd_declare_test name seconds labels)
  if(NOT seconds)
    set(seconds 600)
  endif()
  math(EXPR late "${seconds} + 60")
  add_test(NAME ${name} COMMAND ${PROJECT_SOURCE_DIR}/tests/support/alone ${seconds} ${ARGN})
  set_tests_properties(${name} PROPERTIES LABELS "${labels}" TIMEOUT ${late}
                       ENVIRONMENT "${FMD_TEST_ENVIRONMENT}")
endfunction()

# With MPI in it: both cores, and no LeakSanitizer, which sees Open MPI's own unloaded modules as leaks.
function(fmd_uses_mpi name)
  set_tests_properties(${name} PROPERTIES PROCESSORS 2)
  set_property(TEST ${name} APPEND PROPERTY ENVIRONMENT ASAN_OPTIONS=detect_leaks=0)
endfunction()

function(fmd_add_test name)
  cmake_parse_arguments(ARG "" "TIMEOUT" "SOURCES;LIBS;LABELS;NPROCS" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  target_include_directories(${name} PRIVATE ${PROJECT_SOURCE_DIR}/src ${PROJECT_SOURCE_DIR}/tests)
  target_link_libraries(${name} PRIVATE fmd_options ${ARG_LIBS} PkgConfig::CMOCKA m)
  if(NOT ARG_NPROCS)
    fmd_declare_test(${name} "${ARG_TIMEOUT}" "${ARG_LABELS}" $<TARGET_FILE:${name}>)
  endif()
  foreach(n IN LISTS ARG_NPROCS)
    fmd_declare_test(${name}.np${n} "${ARG_TIMEOUT}" "${ARG_LABELS}" ${MPIEXEC_EXECUTABLE}
                     ${MPIEXEC_NUMPROC_FLAG} ${n} $<TARGET_FILE:${name}>)
    fmd_uses_mpi(${name}.np${n})
  endforeach()
endfunction()

function(fmd_add_script name)
  cmake_parse_arguments(ARG "" "TIMEOUT" "LABELS" ${ARGN})
  fmd_declare_test(${name} "${ARG_TIMEOUT}" "${ARG_LABELS}" ${ARG_UNPARSED_ARGUMENTS})
  fmd_uses_mpi(${name})
endfunction()
