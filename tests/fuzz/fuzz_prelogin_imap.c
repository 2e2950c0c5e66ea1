#include "prelogin_dialogue.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	return dialogue_play(SERVICE_IMAP, bytes, n);
}
