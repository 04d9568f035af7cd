/* Lets Criterion's tests run under ThreadSanitizer.
 *
 * Criterion gives each test a process of its own and shares an arena with it, for which its library BoxFort chooses an address at random: one that
 * ThreadSanitizer keeps for its shadow, so every test ends before it began ("Could not initialize inheritable arena"). BoxFort tries an
 * address with mincore() and takes it with mmap(); here both are led to where a program's own memory may be. */
#undef _FILE_OFFSET_BITS /* or mmap would be another name for mmap64 */
#include <dlfcn.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define BOXFORT_BEGIN UINT64_C(0x200000000000) /* BoxFort src/arena.c: mmap_base */
#define OURS_BEGIN                                                                                                     \
	UINT64_C(0x7e8000000000) /* compiler-rt tsan_platform.h: kHiAppMemBeg; here well below where libraries go */
#define OURS_SIZE UINT64_C(0x004000000000)

#define EXPORTED __attribute__((visibility("default")))

static void *led(void *address)
{
	uintptr_t at = (uintptr_t)address;

	return at >= BOXFORT_BEGIN && at < OURS_BEGIN ? (void *)(OURS_BEGIN + at % OURS_SIZE) : address;
}

EXPORTED int mincore(void *address, size_t len, unsigned char *in_core)
{
	return (int)syscall(SYS_mincore, led(address), len, in_core);
}

EXPORTED void *mmap(void *address, size_t len, int protection, int flags, int fd, off_t offset)
{
	/* ThreadSanitizer's own, which must hear of it. */
	static void *(*next)(void *, size_t, int, int, int, off_t);

	if (!next)
		next = (void *(*)(void *, size_t, int, int, int, off_t))dlsym(RTLD_NEXT, "mmap");
	return next(flags & MAP_FIXED ? led(address) : address, len, protection, flags, fd, offset);
}

EXPORTED void *mmap64(void *address, size_t len, int protection, int flags, int fd, off_t offset)
{
	return mmap(address, len, protection, flags, fd, offset);
}
