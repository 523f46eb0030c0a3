#pragma once

// Status and Result are part of the public library; inside the house they are reached from here.
#include <firn/check.h>
#include <firn/status.h>
