/* CRC-32C (Castagnoli), which no small library offers. */
#ifndef FMD_IO_TENSORBOARD_CRC32C_H
#define FMD_IO_TENSORBOARD_CRC32C_H

#include <stddef.h>
#include <stdint.h>

/* Local. RFC 3720, appendix B.4, has test vectors. */
uint32_t fmd_crc32c(const void *data, size_t bytes);

#endif
