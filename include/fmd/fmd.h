/* All headers of the library. */
#ifndef FMD_FMD_H
#define FMD_FMD_H

#include "fmd/callback.h"
#include "fmd/checkpoint.h"
#include "fmd/comm.h"
#include "fmd/dataset.h"
#include "fmd/error.h"
#include "fmd/model.h"
#include "fmd/prediction.h"
#include "fmd/shape.h"
#include "fmd/trainer.h"
#include "fmd/version.h"

#endif
