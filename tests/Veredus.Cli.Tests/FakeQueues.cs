using Veredus.Control.Commands;

namespace Veredus.Cli.Tests;

/// <summary>Queues that exist only here: two bindings, two domains, and a record of what was asked of them.</summary>
internal sealed class FakeQueues : IQueueConsole
{
    public const string Id = "20/00-00007-08B31BA6";

    public List<string> Deeds { get; } = [];

    public string Reply { get; set; } = "451 4.7.1 [too many] \u001b]0;owned\u0007 \u202Eretry";

    public string LongDomain { get; } = new string('d', 296) + ".net";

    public NodeSummary Summary() => new()
    {
        OutboundConcurrency = 14, InboundConcurrency = 3, ActiveDomains = 2, ActiveQueueSize = 130, DelayedQueueSize = 322, DnsAQueries = 7, DnsMxQueries = 5,
        DeliveredMessages = 5098, FailedMessages = 17, RejectedMessages = 4, ReceivedMessages = 5567, StatisticsSeconds = 200, UptimeSeconds = 7200,
        DnsResolver = "libunbound",
    };

    public void ResetStatistics() => Deeds.Add("reset");

    public IReadOnlyList<BindingSummary> Bindings() =>
    [
        new() { Group = "bulk", Name = "bulk-1", OpenConnections = 4, ActiveQueueSize = 130, TotalQueueSize = 142, DeliveredMessages = 5021, UptimeSeconds = 7200 },
        new() { Group = "default", Name = "default", TotalQueueSize = 310, DeliveredMessages = 77, UptimeSeconds = 7200 },
    ];

    public IReadOnlyList<QueueLine> Queues() =>
        [new("default", "default", "example.org", 0, 310), new("bulk", "bulk-1", "example.net", 130, 12), new("bulk", "bulk-1", LongDomain, 0, 1)];

    public IReadOnlyList<DomainLine> Domains(string? binding) =>
        [new("example.net", 4, 130, 12, 5021), new("example.org", 0, 0, 310, 77)];

    public DomainDetails? Domain(string domain) => domain != "example.net" ? null : new()
    {
        Domain = domain, TtlSeconds = 512, Active = 130, Delayed = 12, Delivered = 5021, Failed = 17,
        Mxs =
        [
            new(10, "mx.example.net", 512,
            [
                new("[203.0.113.25]:25", "IPv4", 31.2, 240.75, true, null), new("[203.0.113.26]:25", "IPv4", 0, 198.4, false, 44.1),
            ]),
        ],
        Connections = [new(88, "203.0.113.25", "reading confirmation", 120.51)],
    };

    public IReadOnlyList<QueuedMessageLine> Messages(string? binding, string domain, int max, int offset) =>
        [.. new[] { new QueuedMessageLine(Id, "delayed", "bulk-1", 1_790_000_000, "news@example.com", "bob\u001b[2J@example.org") }.Skip(offset).Take(max)];

    public ValueTask<MessageDetails?> MessageAsync(string id, bool withBody, CancellationToken cancellationToken) => new(id != Id ? null : new MessageDetails
    {
        Id = Id, Type = "delayed", Created = DateTimeOffset.FromUnixTimeSeconds(1_790_000_000), Retries = 1, Protocol = "esmtp", ReceivedVia = "192.0.2.7:41220",
        Sender = "news@example.com", Recipient = "bob@example.org", Code = Reply, Size = 2412, Binding = "bulk-1", Group = "bulk", Domain = "example.org",
        BatchId = Id, ConnectionId = Id, Body = withBody ? "Subject: x\r\n\r\n.dot\r\n" : null,
    });

    public IReadOnlyList<SessionLine> Outbound() => [new(88, "bulk-1", "203.0.113.25:25", "reading confirmation", 1.5, "example.net")];

    public bool IsBinding(string name) => name is "bulk-1" or "default";

    public ValueTask<long> FlushAsync(string? binding, string? domain, CancellationToken cancellationToken) => Do(322, "flush", binding, domain);

    public ValueTask<long> FailAsync(string? binding, string? domain, string? reply, bool quiet, CancellationToken cancellationToken) =>
        Do(142, "fail", binding, domain, reply, quiet ? "quiet" : "loud");

    public ValueTask<bool> RetryMessageAsync(string id, CancellationToken cancellationToken)
    {
        Deeds.Add($"retry {id}");
        return new(id == Id);
    }

    public ValueTask<bool> FailMessageAsync(string id, bool quiet, CancellationToken cancellationToken)
    {
        Deeds.Add($"fail message {id}{(quiet ? " quiet" : "")}");
        return new(id == Id);
    }

    public ValueTask<long> RebindAsync(string? binding, string? domain, CancellationToken cancellationToken) => Do(3, "rebind", binding, domain);

    public ValueTask<long> RerouteAsync(string from, string to, CancellationToken cancellationToken) => Do(5, "reroute", from, to);

    public int Refresh(string? domain) => 2;

    public void StartLookup(string domain) => Deeds.Add($"dig {domain}");

    public (int Number, string? Error) AddTrace(string? binding, string? domain, string file) =>
        file.StartsWith('/') ? (0, "trace files are only made in the log directory") : (7, null);

    public IReadOnlyList<TraceLine> Traces() => [new(7, "*", "example.net", "trace.txt", 120)];

    public bool RemoveTrace(int number) => number == 7;

    private ValueTask<long> Do(long count, params string?[] words)
    {
        Deeds.Add(string.Join(' ', words.Select(word => word ?? "-")));
        return new(count);
    }
}

internal sealed class FakeNode : INodeConsole, ISpoolConsole
{
    public string HostName => "mta01";

    public string Version => "0.1.0";

    public List<string> Deeds { get; } = [];

    public IReadOnlyList<SessionLine> Inbound() => [new(41, "SMTP", "192.0.2.7:41220", "reading body", 2.5)];

    public IReadOnlyList<ModuleLine> Modules() => [new("ec_logger", "main", true, "classic logs")];

    public void ReopenLogs() => Deeds.Add("reopen");

    public int FlushTlsCache() => 2;

    public IReadOnlyList<TlsContextLine> TlsContexts() => [new("/etc/veredus/tls.pem", 60, 3)];

    public void Shutdown(bool now) => Deeds.Add(now ? "shutdown now" : "shutdown");

    public ValueTask<string?> StartImportAsync(string path, int concurrency, bool suppressTraceHeaders, CancellationToken cancellationToken) =>
        new(path == "/held" ? "the spool is held by process 99" : null);

    public ImportProgress? ImportProgress(string path) => path == "/old" ? new(path, 10, 4, 1, false, null) : null;

    public ValueTask<string?> SpoolInAsync(string id, CancellationToken cancellationToken) => new(id == FakeQueues.Id ? null : $"there is no message {id} in the spool");
}

/// <summary>A configuration console that repeats what it was asked, and notes when its session ends.</summary>
internal sealed class FakeConfig(List<string> deeds) : IConfigConsole
{
    public ValueTask<Control.ControlAnswer> RunAsync(string text, bool json, CancellationToken cancellationToken) =>
        new(text.StartsWith("reload", StringComparison.Ordinal)
            ? Control.ControlAnswer.Error(422, "Reconfigure failed.", ["CFG-0101 Syntax error in veredus.conf at line 12 near 'x'"])
            : Control.ControlAnswer.Body($"config {text}"));

    public ValueTask<Control.ControlAnswer> WriteAsync(string? file, CancellationToken cancellationToken) => new(Control.ControlAnswer.Body("# whole"));

    public void Dispose() => deeds.Add("rolled back");
}
