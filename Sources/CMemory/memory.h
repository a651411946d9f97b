// What Swift has no word for: asks the processor to bring a cache line near, and waits for nothing. Any address will
// do.
static inline void bring_near(const void *address) { __builtin_prefetch(address); }
