namespace Veredus.Configuration;

public static partial class Options
{
    private static readonly OptionSection Queue = new(9, "Timeouts, retry, expiry, memory");

    public static readonly Option<TimeSpan> ConnectTimeout = Queue.Seconds("connect_timeout", SND, 300, "TCP connect, and the wait for the greeting.", 1);
    public static readonly Option<TimeSpan> EhloTimeout = Queue.Seconds("ehlo_timeout", SND, 300, "Reply to EHLO; also STARTTLS and its handshake.", 1);
    public static readonly Option<TimeSpan> MailfromTimeout = Queue.Seconds("mailfrom_timeout", SND, 300, "Reply to MAIL FROM.", 1);
    public static readonly Option<TimeSpan> RcpttoTimeout = Queue.Seconds("rcptto_timeout", SND, 300, "Reply to RCPT TO, and to DATA.", 1);
    public static readonly Option<TimeSpan> BodyTimeout = Queue.Seconds("body_timeout", SND, 600, "Reply after the final dot.", 1);
    public static readonly Option<TimeSpan> RsetTimeout = Queue.Seconds("rset_timeout", SND, 30, "Reply to RSET.", 1);
    public static readonly Option<TimeSpan> ControlClientTimeout = Queue.Seconds("control_client_timeout", G, 60, "Outgoing control connections.", 1, NotYet);
    public static readonly Option<TimeSpan> RetryInterval = Queue.Seconds("retry_interval", SND, 1200, "First retry delay; doubles each time.", 1);
    public static readonly Option<TimeSpan> MaxRetryInterval = Queue.Seconds("max_retry_interval", SND, 43200, "Upper bound of the retry delay.", 1);
    public static readonly Option<RetryLimit> MaxRetries = Queue.Word("max_retries", SND, "auto: derived from message_expiration; none: only expiration; a number: whichever comes first.", Active,
        text => (Readers.Int(text, out var count) && count >= 0, new RetryLimit(RetryLimitMode.Count, count)),
        ("auto", new RetryLimit(RetryLimitMode.Auto, 0)), ("none", new RetryLimit(RetryLimitMode.None, 0)));
    public static readonly Option<TimeSpan> MessageExpiration = Queue.Seconds("message_expiration", SND, 86400, "Lifetime of a message since its reception.", 1);
    public static readonly Option<bool> NeverAttemptExpiredMessages = Queue.Bool("never_attempt_expired_messages", SND, false, "An expired message at the head of its queue fails without a last try.");
    public static readonly Option<bool> NeverRetry = Queue.Bool("never_retry", SND, false, "The first transient failure is final.");
    public static readonly Option<TimeSpan> DelayedQueueScanInterval = Queue.Seconds("delayed_queue_scan_interval", G, 15, "How often due messages are taken up while the active queue is busy; each is taken up at its time.", 1, NotYet);
    public static readonly Option<TimeSpan> DelayedBindingDomainFuzz = Queue.Seconds("delayed_binding_domain_fuzz", B | BG | G, 0, "Spreads a bulk requeue over this time.", status: NotYet);
    public static readonly Option<int> DiskQueueDrainRate = Queue.Int("disk_queue_drain_rate", G, 100, "Messages per 100 ms that are read back from disk.", min: 1, status: NotYet);
    public static readonly Option<int> MaxResidentActiveQueue = Queue.Int("max_resident_active_queue", SND, 250, "Active messages of a queue whose body stays in memory; -1 = no limit, 0 = none.", min: -1);
    public static readonly Option<int> MaxResidentMessages = Queue.Int("max_resident_messages", B | BG | G, 32768, "Messages of the node whose body stays in memory; 0 = no limit.");
    public static readonly Option<int> DropBodyAfterTransFail = Queue.Int("drop_body_after_trans_fail", SND, 3, "After so many failures the body is only on disk; bodies are never kept in memory.", status: NotYet);
    public static readonly Option<int> MemoryGoal = Queue.Int("memory_goal", G, 90, "Percent of memory above which bodies are freed; bodies are never kept in memory.", min: 1, max: 100, status: NotYet);
    public static readonly Option<int> MemoryHwm = Queue.Int("memory_hwm", G, 95, "Percent of memory above which new mail is refused for now.", min: 1, max: 100);
    public static readonly Option<long> LargeMessageThreshold = Queue.Bytes("large_message_threshold", G, 131072, "Larger bodies are streamed to disk while they are received.");
    public static readonly Option<long> GrowbufSize = Queue.Bytes("growbuf_size", G, 16384, "Segment of the receive buffer.", NotYet);
    public static readonly Option<bool> KeepMessageDictsInMemory = Queue.Bool("keep_message_dicts_in_memory", G, false, "Keeps the context of a message whose body is dropped.", NotYet, nonDynamic: true);
    public static readonly Option<PatternList> ExcludeVctxConn = Queue.Patterns("exclude_vctx_conn", SND, "Connection context keys that are not written to the spool.", NotYet);
    public static readonly Option<PatternList> ExcludeVctxMess = Queue.Patterns("exclude_vctx_mess", SND, "Message context keys that are not written to the spool.", NotYet);
    public static readonly Option<int> MatchCacheSize = Queue.Int("match_cache_size", G, 16384, "Entries of the cache of resolved scopes.", min: 1, max: 100_000_000);

    private static readonly OptionSection SpoolAndDns = new(10, "Spool, bounces, DNS");

    public static readonly Option<string> Spoolbase = SpoolAndDns.TextOr("spoolbase", G, "/var/spool/veredus", "Directory of the message spool.", nonDynamic: true, type: "dir");
    public static readonly Option<UnixFileMode> SpoolMode = SpoolAndDns.Mode("spool_mode", G, "0640", "Mode of spool files.", nonDynamic: true);
    public static readonly Option<bool> ForceFsync = SpoolAndDns.Bool("force_fsync", G, true, "Syncs a message to disk before the 250.");
    public static readonly Option<bool> UnlinkOnSpoolInFailure = SpoolAndDns.Bool("unlink_on_spool_in_failure", G, false, "Deletes an unreadable spool entry at start instead of setting it aside; it is always set aside.", OptionStatus.DefaultOnly);
    public static readonly Option<string> CompressSpoolMethod = SpoolAndDns.TextOr("compress", ScopeKinds.CompressSpool, "gzip", "Compression of bodies in the spool.", NotYet);
    public static readonly Option<long> CompressSpoolMinimumSize = SpoolAndDns.Bytes("minimum_size", ScopeKinds.CompressSpool, 4096, "Smaller bodies are not compressed.", NotYet);
    public static readonly Option<bool> CompressSpoolReadOnly = SpoolAndDns.Bool("read_only", ScopeKinds.CompressSpool, false, "Reads compressed bodies but writes none.", NotYet);
    public static readonly Option<bool> GenerateBounces = SpoolAndDns.Bool("generate_bounces", SND, true, "Sends a DSN for mail that fails after its reception.");
    public static readonly Option<DsnContent> BouncesInlineOriginal = SpoolAndDns.Word("bounces_inline_original", SND, "How much of the original a DSN carries.", Active,
        ("headers", DsnContent.Headers), ("none", DsnContent.None), ("all", DsnContent.All));
    public static readonly Option<string?> Mailerdaemon = SpoolAndDns.Text("mailerdaemon", SND, "From: of DSNs; unset = mailer-daemon@hostname.", type: "address");
    public static readonly Option<string?> MdnFailuresNotify = SpoolAndDns.Text("mdn_failures_notify", SND, "Gets a copy when a message with a null sender fails.", type: "address");
    public static readonly Option<bool> GenerateBouncesForMultiRecipientPolicyRejections = SpoolAndDns.Bool("generate_bounces_for_multi_recipient_policy_rejections", G | PG | PW, true, "DSN when only some recipients were refused after DATA.");
    public static readonly Option<bool> GenerateDelayDsn = SpoolAndDns.Bool("generate_delay_dsn", SND, false, "Sends delay warnings.", NotYet);
    public static readonly Option<TimeSpan> DelayDsnRetryInterval = SpoolAndDns.Seconds("delay_dsn_retry_interval", SND, 3600, "First delay warning; doubles each time.", status: NotYet);
    public static readonly Option<TimeSpan> DelayDsnMaxRetryInterval = SpoolAndDns.Seconds("delay_dsn_max_retry_interval", SND, 43200, "Upper bound of that interval.", status: NotYet);
    public static readonly Option<BounceBehavior> BounceBehaviour = SpoolAndDns.Word("bounce_behavior", D | G, "Out-of-band bounces: route on or swallow.", NotYet, ("pass", BounceBehavior.Pass), ("blackhole", BounceBehavior.Blackhole));
    public static readonly Option<Pattern?> BouncePattern = SpoolAndDns.Regex("bounce_pattern", D | G, "An address must match to count as a bounce.", NotYet);
    public static readonly Option<string?> BounceSuppressList = SpoolAndDns.Text("bounce_suppress_list", G, "Addresses and @domains that can't be the original recipient.", NotYet);
    public static readonly Option<string?> ResolvConf = SpoolAndDns.Text("resolv_conf", G, "Private resolver file; unset = the system's.", type: "file");
    public static readonly Option<int> DnsFailuresToPurge = SpoolAndDns.Int("dns_failures_to_purge", D | G, 10, "Failed lookups before the messages of a domain fail.", min: 1);
    public static readonly Option<int> MxFailuresFallbackToA = SpoolAndDns.Int("mx_failures_fallback_to_a", D | G, 0, "Failed MX lookups before addresses are tried; 0 = only after a definite answer that there is no MX.");
    public static readonly Option<TimeSpan> DnsExpireInterval = SpoolAndDns.Seconds("dns_expire_interval", G, 10, "How often routes are checked for age; each is looked up again at its next use.", 1, NotYet);
    public static readonly Option<TimeSpan> DnsCachePurgeInterval = SpoolAndDns.Seconds("dns_cache_purge_interval", G, 60, "How often the DNS cache is cleaned; it is bounded and cleans itself.", 1, NotYet);
    public static readonly Option<TimeSpan> MinDnsTtl = SpoolAndDns.Seconds("min_dns_ttl", G, 0, "Lower bound of a route's lifetime.");
    public static readonly Option<TimeSpan> MaxDnsTtl = SpoolAndDns.Seconds("max_dns_ttl", G, uint.MaxValue, "Upper bound of a route's lifetime.");

#pragma warning disable CA1823, IDE0052 // registers rows
    private static readonly bool QueueRowsIgnored = IgnoreRows(() =>
    {
        Queue.Ignore(G, "Internal scheduling.", "soft_bounce_drain_rate", "transfail_drain_rate", "inline_transfail_processing", "max_resident_transfails",
            "clear_mail_queue_maintainers", "max_timed_events_per_iter", "mail_queue_check_vm_interval");
        Queue.Ignore(G, "Memory and I/O are the runtime's.", "legacy_message_threshold", "malloc2mmap_threshold", "umem_reap_interval", "initial_hash_buckets",
            "use_mmap", "use_sendfile", "scheduler", "tcp_buffer_size", "use_iflist_cache", "event_loop");
        Queue.Ignore(G, "Entries of the match cache never grow stale.", "match_cache_life");
        Queue.Ignore(G, "Patterns are compiled when the configuration is read.", "pcre_cache_size", "pcre_cache_ttl");
        SpoolAndDns.Ignore(G, "Mail is always written to disk before it is accepted.", "_unsafe_spool");
        SpoolAndDns.Ignore(G, "DSNs are always rendered aside.", "async_bounce_rendering");
        SpoolAndDns.Ignore(G, "Always on (RFC 7766).", "dns_fallback_to_tcp");
    });
}
