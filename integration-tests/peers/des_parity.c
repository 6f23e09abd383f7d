/* DES_key_sched as it was before OpenSSL 3.0: it does not report that the parity of a key's bytes is wrong. For LD_PRELOAD. */
void DES_set_key_unchecked(const unsigned char *key, void *schedule);

int DES_key_sched(const unsigned char *key, void *schedule)
{
    DES_set_key_unchecked(key, schedule);
    return 0;
}
