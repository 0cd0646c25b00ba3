/* Multiversioned vector loops.
 *
 * FMD_SIMD in front of a function compiles it for AVX-512, AVX2 and the baseline; the loader picks
 * one. All versions give the same bits: the loops work element by element, or in an explicit
 * order, and the build forbids the contraction of a * b + c. */
#ifndef FMD_BASE_SIMD_H
#define FMD_BASE_SIMD_H

/* FMD_NO_MULTIVERSION: the sanitizers' runtime is not ready when the loader picks a version. clang
 * 14 supports the attribute, but cannot call the versions from another file. */
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && !defined(FMD_NO_MULTIVERSION)
#define FMD_SIMD __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define FMD_SIMD
#endif

#endif
