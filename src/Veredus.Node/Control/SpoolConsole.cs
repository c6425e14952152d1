using System.Collections.Concurrent;
using Veredus.Control.Commands;
using Veredus.Logging;
using Veredus.Spool;

namespace Veredus.Node.Control;

/// <summary>Takes other spools over, and queues what lies in the own spool and in no queue.</summary>
internal sealed class SpoolConsole(VeredusNode node) : ISpoolConsole, IAsyncDisposable
{
    private readonly ConcurrentDictionary<string, ImportJob> _jobs = new(StringComparer.Ordinal);
    private readonly CancellationTokenSource _stop = new();
    private readonly Lock _gate = new();

    /// <summary>Silence after which the owner of a spool counts as dead (logging.md 9.1).</summary>
    private static readonly TimeSpan TakeOverAfter = TimeSpan.FromSeconds(30);

    private const int TakeOverConcurrency = 8;

    public async ValueTask<string?> StartImportAsync(string path, int concurrency, bool suppressTraceHeaders, CancellationToken cancellationToken)
    {
        if (!Path.IsPathFullyQualified(path))
            return $"'{path}' is not an absolute path";
        var source = Normal(path);
        ImportJob job;
        lock (_gate)
        {
            if (_jobs.TryGetValue(source, out var other) && !other.Completion.IsCompleted)
                return $"an import of '{source}' runs already; see 'spool import_poll {source}'";
            _jobs[source] = job = new(node, source, concurrency, suppressTraceHeaders);
            job.Start(_stop.Token);
        }
        return await job.Opened.WaitAsync(cancellationToken);
    }

    public async ValueTask<string?> StartTakeOverAsync(string name, string path, CancellationToken cancellationToken)
    {
        if (!Path.IsPathFullyQualified(path))
            return $"'{path}' is not an absolute path";
        if (Normal(path) == Normal(node.Configuration.Current.Global.Get(Configuration.Options.Spoolbase)))
            return $"'{path}' is this node's own spool";
        SpoolOwner? owner;
        try
        {
            owner = await Task.Run(() => SpoolStore.OwnerOf(Normal(path)), cancellationToken);
        }
        catch (SpoolFormatException exception)
        {
            node.Logs.Panic(PanicLevel.Error, PanicSubsystems.Error, "spool", $"takeover of '{Normal(path)}' refused: {exception.Message}");
            return exception.Message;
        }
        catch (IOException exception)
        {
            return exception.Message;
        }
        if (owner is null)
            return $"'{path}' has no spool.lock with the record of an owner: it is no node's spool, or not mounted here";
        // The record has the host's full name, the cluster the node's.
        if (owner.Node != name && owner.Node.Split('.')[0] != name && owner.TakeOverOf?.Split('.')[0] != name)
            return $"'{path}' belongs to {owner.Node}, not to {name}";
        if (node.Moves?.IsMember(name) is true)
            return $"{name} is in the cluster: it is not dead. Drain it (veredus node drain {name}) or stop it first";
        var seconds = (node.Time.GetUtcNow() - owner.Renewed).TotalSeconds;
        if (owner.Node.Split('.')[0] == name && seconds < TakeOverAfter.TotalSeconds)
            return $"{owner.Node} said {seconds:0} s ago that it lives; it counts as dead after {TakeOverAfter.TotalSeconds:0} s of silence. Try again in {TakeOverAfter.TotalSeconds - seconds:0} s";
        return await StartImportAsync(path, TakeOverConcurrency, suppressTraceHeaders: false, cancellationToken);
    }

    public ImportProgress? ImportProgress(string path) => _jobs.GetValueOrDefault(Normal(path))?.Progress;

    public ValueTask<string?> SpoolInAsync(string id, CancellationToken cancellationToken) => new(SpoolIn(id));

    /// <summary>Ends with the last import from <paramref name="path"/>.</summary>
    internal Task Completion(string path) => _jobs.GetValueOrDefault(Normal(path))?.Completion ?? Task.CompletedTask;

    /// <summary>Imports end after the messages under way; the rest stays at the source.</summary>
    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        foreach (var job in _jobs.Values)
            await job.Completion;
        _stop.Dispose();
    }

    private static string Normal(string path) => Path.TrimEndingDirectorySeparator(Path.GetFullPath(path));

    private string? SpoolIn(string text)
    {
        if (!MessageId.TryParse(text, out var id))
            return $"'{text}' is not a message ID";
        if (!node.Recovery.IsCompleted)
            return "the spool is still being read; what is in it is queued by itself";
        if (node.Delivery.Holds(id))
            return $"{id} is in its queue already; see 'message details {id}'";
        if (!node.Spool.TryFind(id, out var message))
            return $"there is no message {id} in the spool";
        try
        {
            node.Delivery.Recover(message, node.Spool.ReadEnvelope(message));
            return null;
        }
        catch (Exception exception) when (exception is IOException or InvalidOperationException)
        {
            return $"{id} cannot be read: {exception.Message}";
        }
    }
}
