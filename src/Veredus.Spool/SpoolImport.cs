using System.Runtime.CompilerServices;

namespace Veredus.Spool;

/// <summary>Result code of one imported message, as the importlog has it.</summary>
public enum ImportResult
{
    Ok = 1,
    MetadataUnreadable = 2,
    BodyUnreadable = 3,
    WriteFailed = 4,
}

/// <param name="SourceId">Zero if the metadata cannot be read.</param>
/// <param name="Id">In this spool; zero unless <see cref="ImportResult.Ok"/>.</param>
/// <param name="Message">To be queued; <see langword="null"/> unless Ok, and for a message that an interrupted import had brought already.</param>
public readonly record struct ImportedMessage(MessageId SourceId, MessageId Id, ImportResult Result, StoredMessage? Message, Envelope? Envelope)
{
    /// <summary>It was with another host when the source's process ended, which may have taken it.</summary>
    public DateTimeOffset? InDoubtSince { get; init; }
}

/// <summary>How messages are taken over.</summary>
public sealed record ImportOptions
{
    /// <summary>Base directory of the other spool.</summary>
    public required string Source { get; init; }

    /// <summary>This node, for the source's lock record.</summary>
    public required string NodeName { get; init; }

    /// <summary>Messages in work at a time, 1 to 1000. Default 1.</summary>
    public int Concurrency { get; init; } = 1;

    /// <summary>Take the source although its record names another node.</summary>
    public bool TakeOver { get; init; }

    /// <summary>Told twice: 0 when the source is ours, then how many messages it holds.</summary>
    public Action<long>? Found { get; init; }

    /// <summary>The Received line to add, or <see langword="null"/> to add none. Gets the envelope as it will be stored.</summary>
    public Func<Envelope, ReadOnlyMemory<byte>>? TraceHeader { get; init; }

    /// <summary>Says whether this node has, or has had, the message by another way (moved here before its node died); then it is only removed at the source.</summary>
    public Func<Envelope, bool>? IsKnown { get; init; }

    /// <summary>Binds a message anew where its binding does not exist here.</summary>
    public Func<Envelope, Envelope>? Rebind { get; init; }
}

/// <summary>Moves the messages of another spool into this one: written here, durable, then removed there.</summary>
/// <remarks>
/// An import that was interrupted is simply repeated: a message carries its origin (identity of the source, ID and checksum there), so
/// one that is here already is only removed at the source. A message is given to the caller, and so delivered, only when its removal there is durable.
/// </remarks>
public static class SpoolImport
{
    // Only removals are written at the source: small files do, should its disk be full.
    private const int RemovalSegmentBytes = 1 << 20;

    /// <exception cref="SpoolOpenException">The source is in use, belongs to another node, or is no spool.</exception>
    public static async IAsyncEnumerable<ImportedMessage> RunAsync(
        SpoolStore target, ImportOptions options, MessageIdGenerator ids, TimeProvider time, [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(options.Concurrency, 1, nameof(options));
        ArgumentOutOfRangeException.ThrowIfGreaterThan(options.Concurrency, 1000, nameof(options));
        if (SpoolFormat.TryRead(target.Disk, options.Source) is null)
            throw new SpoolOpenException($"spool: '{options.Source}' is no Veredus spool: it has no file 'spool.format'. Name the whole spool base.");
        var sourceOptions = new SpoolOptions { Base = options.Source, NodeName = options.NodeName, TakeOver = options.TakeOver, SegmentBytes = RemovalSegmentBytes, RemovalBacklog = 2 * options.Concurrency };
        await using var source = await Task.Run(() => SpoolStore.Open(sourceOptions, target.Disk, time, ownThreads: true, isImport: true), cancellationToken);
        options.Found?.Invoke(0);
        var import = new Run(target, source, options, ids);
        var batch = new List<RecoveredMessage>(options.Concurrency);
        var isCounted = false;
        await foreach (var found in source.RecoverAsync(cancellationToken))
        {
            if (!isCounted)
                options.Found?.Invoke(source.Statistics.Messages);
            isCounted = true;
            batch.Add(found);
            if (batch.Count < options.Concurrency)
                continue;
            foreach (var imported in await import.MoveAsync(batch))
                yield return imported;
            batch.Clear();
        }
        foreach (var imported in await import.MoveAsync(batch))
            yield return imported;
        for (var damaged = source.Statistics.Corruptions - import.BodiesUnreadable; damaged > 0; damaged--)
            yield return new(default, default, ImportResult.MetadataUnreadable, null, null);
    }

    private sealed class Run(SpoolStore target, SpoolStore source, ImportOptions options, MessageIdGenerator ids)
    {
        private Dictionary<MessageOrigin, MessageId>? _origins;

        public int BodiesUnreadable { get; private set; }

        public async Task<ImportedMessage[]> MoveAsync(List<RecoveredMessage> batch)
        {
            var moved = await Task.WhenAll(batch.Select(CopyAsync));
            for (var i = 0; i < moved.Length; i++)
            {
                if (moved[i].Result is ImportResult.Ok)
                    await source.RemoveAsync(batch[i].Message);
            }
            if (moved.Length > 0 && !await source.FlushAsync())
                throw new IOException($"spool: the messages just imported could not be removed from '{options.Source}': {source.Fault?.Message} They are stored here and will be recognised when the import is repeated.");
            return moved;
        }

        private async Task<ImportedMessage> CopyAsync(RecoveredMessage found)
        {
            var (message, envelope) = found;
            using var body = target.CreateBody();
            uint crc;
            try
            {
                crc = await ReadAsync(message, body);
            }
            catch (Exception e) when (e is SpoolCorruptException or DiskException)
            {
                if (e is SpoolCorruptException)
                    BodiesUnreadable++;
                return new(message.Id, default, ImportResult.BodyUnreadable, null, null);
            }
            envelope = envelope with { Transfer = envelope.Transfer ?? new(TransferState.LineageOf(source.Id, message.Id), 0, 0, source.Owner) };
            var origin = new MessageOrigin(source.Id, message.Id, crc);
            var id = message.Id;
            if (target.TryFind(id, out var own))
            {
                if (origin == target.ReadEnvelope(own).Origin)
                    return new(message.Id, id, ImportResult.Ok, null, null);
                if ((_origins ??= Origins()).TryGetValue(origin, out var earlier))
                    return new(message.Id, earlier, ImportResult.Ok, null, null);
                id = ids.Next();
            }
            if (options.IsKnown?.Invoke(envelope) is true)
                return new(message.Id, message.Id, ImportResult.Ok, null, null);
            envelope = envelope with { Id = id, Protocol = "import", Origin = origin, Flags = options.TraceHeader is null ? envelope.Flags | EnvelopeFlags.TraceSuppressed : envelope.Flags };
            envelope = options.Rebind?.Invoke(envelope) ?? envelope;
            if (options.TraceHeader is { } trace)
                body.Prepend(trace(envelope).Span);
            var result = await target.CommitAsync(body, [envelope]);
            return result.Status is CommitStatus.Durable
                ? new(message.Id, id, ImportResult.Ok, result.Messages[0], envelope) { InDoubtSince = found.InDoubtSince }
                : new(message.Id, default, ImportResult.WriteFailed, null, null);
        }

        private async Task<uint> ReadAsync(StoredMessage message, SpoolBody body)
        {
            uint crc = 0;
            using var reader = source.OpenBody(message);
            while (reader.Position < reader.Length)
            {
                var read = reader.Read(body.GetSpan(16 << 10));
                crc = Crc32C.Append(crc, body.GetSpan(16 << 10)[..read]);
                body.Advance(read);
                await body.FlushAsync();
            }
            return crc;
        }

        // Only needed when IDs collide, so only then read.
        private Dictionary<MessageOrigin, MessageId> Origins()
        {
            var origins = new Dictionary<MessageOrigin, MessageId>();
            foreach (var message in target.Snapshot())
            {
                if (target.TryFind(message.Id, out _) && target.ReadEnvelope(message).Origin is { } origin)
                    origins[origin] = message.Id;
            }
            return origins;
        }
    }
}
