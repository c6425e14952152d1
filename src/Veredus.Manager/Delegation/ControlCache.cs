using Veredus.Cluster;

namespace Veredus.Manager;

/// <summary>What is known of one node's answer to one command.</summary>
/// <param name="Command">The command's text: what <c>retrieve</c> is asked for.</param>
/// <param name="Id">Which giving of that command.</param>
/// <param name="Time">When this became known.</param>
public sealed record CachedAnswer(string Command, CommandId Id, string Subcluster, DateTimeOffset Time, NodeAnswer Answer)
{
    /// <summary>Rough octets in memory.</summary>
    public long Bytes => Answer.Body.Length + 2 * (Command.Length + Answer.Text.Length) + 200;
}

/// <summary>
/// The latest answer of each node to each command text, of all managers (cluster.md 10.1): at most 256 MB and one hour, the oldest go first. Safe from any thread.
/// </summary>
public sealed class ControlCache(TimeProvider time, long maxBytes = ControlCache.MaxBytes)
{
    public const long MaxBytes = 256 * 1024 * 1024;
    public static readonly TimeSpan MaxAge = TimeSpan.FromHours(1);

    private readonly Lock _gate = new();
    private readonly Dictionary<(string Command, string Node), LinkedListNode<CachedAnswer>> _byKey = [];
    private readonly LinkedList<CachedAnswer> _byAge = [];
    private long _bytes;

    /// <summary>Told of each entry that changed; <see langword="null"/>: everything was forgotten. Under the cache's lock: must be quick.</summary>
    public Action<CachedAnswer?>? Changed { get; set; }

    public long Bytes
    {
        get
        {
            lock (_gate)
                return _bytes;
        }
    }

    /// <summary>Takes what delegation has learnt. Of a command given anew, what comes late for its earlier giving is dropped.</summary>
    public void Learn(DelegatedCommand command, string subcluster, NodeAnswer answer) => Put(new(command.Text, command.Id, subcluster, time.GetUtcNow(), answer), isNew: true);

    /// <summary>Puts back what an earlier process had.</summary>
    public void Restore(CachedAnswer entry) => Put(entry, isNew: false);

    /// <summary>The answers to a command, by node; empty when it was never given, or longer ago than the cache reaches.</summary>
    public IReadOnlyList<CachedAnswer> Find(string command)
    {
        lock (_gate)
        {
            DropOld();
            return [.. _byAge.Where(entry => entry.Command == command).OrderBy(entry => entry.Answer.Node, StringComparer.Ordinal)];
        }
    }

    /// <summary>Everything, oldest first.</summary>
    public IReadOnlyList<CachedAnswer> All()
    {
        lock (_gate)
        {
            DropOld();
            return [.. _byAge];
        }
    }

    /// <summary>Forgets all; returns how many answers that were.</summary>
    public int Flush()
    {
        lock (_gate)
        {
            var count = _byAge.Count;
            _byKey.Clear();
            _byAge.Clear();
            _bytes = 0;
            Changed?.Invoke(null);
            return count;
        }
    }

    private void Put(CachedAnswer entry, bool isNew)
    {
        lock (_gate)
        {
            var key = (entry.Command, entry.Answer.Node);
            if (_byKey.TryGetValue(key, out var known))
            {
                if (known.Value.Id != entry.Id && entry.Answer.State is not AnswerState.Pending)
                    return;
                Remove(known);
            }
            if (entry.Bytes > maxBytes)
                return;
            _byKey[key] = _byAge.AddLast(entry);
            _bytes += entry.Bytes;
            DropOld();
            while (_bytes > maxBytes)
                Remove(_byAge.First!);
            if (isNew)
                Changed?.Invoke(entry);
        }
    }

    private void DropOld()
    {
        for (var oldest = time.GetUtcNow() - MaxAge; _byAge.First is { } first && first.Value.Time < oldest;)
            Remove(first);
    }

    private void Remove(LinkedListNode<CachedAnswer> node)
    {
        _byKey.Remove((node.Value.Command, node.Value.Answer.Node));
        _byAge.Remove(node);
        _bytes -= node.Value.Bytes;
    }
}
