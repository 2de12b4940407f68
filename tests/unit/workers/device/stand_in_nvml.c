/* A stand-in for NVIDIA's library: two GPUs, the second cut into a slice of each of two sizes, a place without one between them. */
#include <stdlib.h>
#include <string.h>

typedef struct { unsigned long long total, free, used; } memory;
typedef struct { unsigned int gpu, memory; } rates;
enum { FINE = 0, UNSUPPORTED = 3, NOT_FOUND = 6, UNKNOWN = 999 };
#define GPU(number) ((void *)(long)(16 + (number)))
#define SLICE(place) ((void *)(long)(32 + (place)))

int nvmlInitWithFlags(unsigned int flags) { return FINE; }
int nvmlDeviceGetCount_v2(unsigned int *count) { *count = 3; return FINE; }

int nvmlDeviceGetHandleByIndex_v2(unsigned int number, void **device) {
    if (number == 2 || getenv("STAND_IN_LOST")) return UNKNOWN; /* fell off its bus */
    *device = GPU(number);
    return FINE;
}

int nvmlDeviceGetMigMode(void *device, unsigned int *now, unsigned int *later) {
    if (device == GPU(0)) return UNSUPPORTED;
    *now = *later = 1;
    return FINE;
}

int nvmlDeviceGetMaxMigDeviceCount(void *device, unsigned int *count) { *count = 3; return FINE; }

int nvmlDeviceGetMigDeviceHandleByIndex(void *device, unsigned int place, void **slice) {
    if (place == 1) return NOT_FOUND;
    *slice = SLICE(place);
    return FINE;
}

int nvmlDeviceGetUUID(void *device, char *text, unsigned int length) {
    strncpy(text, device == GPU(0) ? "GPU-aa11" : device == SLICE(0) ? "MIG-cc33" : "MIG-cc44", length);
    return FINE;
}

int nvmlDeviceGetName(void *device, char *text, unsigned int length) {
    strncpy(text, device == GPU(0) ? "NVIDIA A100" : "NVIDIA H100 MIG 3g.40gb", length);
    return FINE;
}

int nvmlDeviceGetMemoryInfo(void *device, memory *found) {
    if (device == SLICE(2)) return UNSUPPORTED; /* as a GPU that shares the memory of the processor */
    found->total = device == GPU(0) ? 81920ull << 20 : 40960ull << 20;
    found->used = 1024ull << 20;
    found->free = found->total - found->used;
    return FINE;
}

int nvmlDeviceGetUtilizationRates(void *device, rates *found) {
    if (device != GPU(0)) return UNSUPPORTED;
    found->gpu = 87;
    found->memory = 12;
    return FINE;
}
