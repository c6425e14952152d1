namespace Veredus.Control.Commands;

/// <summary>What the console asks of the queues. Every member is safe from any thread; what counts many messages works in slices.</summary>
/// <remarks>Null as domain means all domains, null as binding all bindings.</remarks>
public interface IQueueConsole
{
    NodeSummary Summary();

    void ResetStatistics();

    IReadOnlyList<BindingSummary> Bindings();

    IReadOnlyList<QueueLine> Queues();

    /// <param name="binding">Only what this binding has.</param>
    IReadOnlyList<DomainLine> Domains(string? binding);

    /// <summary><see langword="null"/>: nothing is known of the domain.</summary>
    DomainDetails? Domain(string domain);

    /// <summary>Up to <paramref name="max"/> messages of a queue behind the first <paramref name="offset"/>; active ones first.</summary>
    IReadOnlyList<QueuedMessageLine> Messages(string? binding, string domain, int max, int offset);

    /// <summary><see langword="null"/>: no such message.</summary>
    ValueTask<MessageDetails?> MessageAsync(string id, bool withBody, CancellationToken cancellationToken);

    IReadOnlyList<SessionLine> Outbound();

    bool IsBinding(string name);

    /// <summary>Makes delayed messages due now; returns how many.</summary>
    ValueTask<long> FlushAsync(string? binding, string? domain, CancellationToken cancellationToken);

    /// <summary>Gives messages up; returns how many.</summary>
    /// <param name="reply">As a remote host would say it; <see langword="null"/>: manually purged.</param>
    /// <param name="quiet">No DSN.</param>
    ValueTask<long> FailAsync(string? binding, string? domain, string? reply, bool quiet, CancellationToken cancellationToken);

    /// <summary>False: no such message waits.</summary>
    ValueTask<bool> RetryMessageAsync(string id, CancellationToken cancellationToken);

    /// <summary>False: no such message waits.</summary>
    ValueTask<bool> FailMessageAsync(string id, bool quiet, CancellationToken cancellationToken);

    ValueTask<long> RebindAsync(string? binding, string? domain, CancellationToken cancellationToken);

    ValueTask<long> RerouteAsync(string from, string to, CancellationToken cancellationToken);

    /// <summary>Looks routes up anew; returns how many domains.</summary>
    int Refresh(string? domain);

    /// <summary>Starts a route lookup whose result <c>domain</c> shows.</summary>
    void StartLookup(string domain);

    /// <summary>Begins to write outbound dialogues to a file; null for any binding or domain.</summary>
    /// <returns>The trace's number, or why not.</returns>
    (int Number, string? Error) AddTrace(string? binding, string? domain, string file);

    IReadOnlyList<TraceLine> Traces();

    bool RemoveTrace(int number);
}

/// <summary>What the console asks of any daemon, node or manager.</summary>
public interface IProcessConsole
{
    string HostName { get; }

    string Version { get; }

    void ReopenLogs();

    /// <summary>Begins the orderly stop; returns at once.</summary>
    /// <param name="now">Without waiting for transactions and messages under way.</param>
    void Shutdown(bool now);
}

/// <summary>What the console asks of the node as a whole.</summary>
public interface INodeConsole : IProcessConsole
{
    IReadOnlyList<SessionLine> Inbound();

    /// <summary>Loaded modules: scope, instance, enabled, description.</summary>
    IReadOnlyList<ModuleLine> Modules();

    /// <summary>Re-reads certificates; returns how many contexts were dropped.</summary>
    int FlushTlsCache();

    IReadOnlyList<TlsContextLine> TlsContexts();
}

/// <summary>What the console asks of the spool: taking others over.</summary>
public interface ISpoolConsole
{
    /// <summary>Takes the spool of a dead node over (<c>spool takeover</c>).</summary>
    /// <returns>Why not; <see langword="null"/>: it has begun, and <see cref="ImportProgress"/> shows how far it is.</returns>
    ValueTask<string?> StartTakeOverAsync(string node, string path, CancellationToken cancellationToken) => new("spools cannot be taken over here");

    /// <summary>Starts to take over another spool; completes when that spool is held, or cannot be.</summary>
    /// <returns>Why not; <see langword="null"/> when it runs.</returns>
    ValueTask<string?> StartImportAsync(string path, int concurrency, bool suppressTraceHeaders, CancellationToken cancellationToken);

    /// <summary><see langword="null"/>: nothing was imported from there since the start.</summary>
    ImportProgress? ImportProgress(string path);

    /// <summary>Loads one message that is in the own spool but in no queue; why not, or <see langword="null"/>.</summary>
    ValueTask<string?> SpoolInAsync(string id, CancellationToken cancellationToken);
}

/// <summary>One module.</summary>
public sealed record ModuleLine(string Name, string Instance, bool IsEnabled, string Description);

/// <summary>A TLS context in use.</summary>
public sealed record TlsContextLine(string Files, double AgeSeconds, int Users);

/// <summary>What the console asks of the configuration: the <c>config</c> commands of one session.</summary>
public interface IConfigConsole : IDisposable
{
    /// <summary>Carries out what stands behind <c>config</c>; disposing rolls an open transaction back.</summary>
    /// <param name="text">The raw rest of the command, e.g. <c>set gateway = x</c>.</param>
    ValueTask<ControlAnswer> RunAsync(string text, bool json, CancellationToken cancellationToken);

    /// <summary><c>write config [file]</c>.</summary>
    ValueTask<ControlAnswer> WriteAsync(string? file, CancellationToken cancellationToken);
}
