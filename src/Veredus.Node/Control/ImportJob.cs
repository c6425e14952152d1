using System.Buffers;
using Veredus.Control.Commands;
using Veredus.Logging;
using Veredus.Reception.Content;
using Veredus.Smtp;
using Veredus.Spool;

namespace Veredus.Node.Control;

/// <summary>One import of another spool (mta.md 4): each message is stored here, removed there, logged and queued.</summary>
internal sealed class ImportJob(VeredusNode node, string source, int concurrency, bool suppressTraceHeaders)
{
    private const string Protocol = "import";
    private readonly TaskCompletionSource<string?> _opened = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private long _found;
    private long _imported;
    private long _failed;
    private volatile string? _error;

    /// <summary>Why the source cannot be imported; <see langword="null"/> once it is held.</summary>
    public Task<string?> Opened => _opened.Task;

    /// <summary>Ends with the import, however that ends.</summary>
    public Task Completion { get; private set; } = Task.CompletedTask;

    public ImportProgress Progress
    {
        get
        {
            var isDone = Completion.IsCompleted;
            var (imported, failed) = (Interlocked.Read(ref _imported), Interlocked.Read(ref _failed));
            return new(source, Math.Max(Interlocked.Read(ref _found), imported + failed), imported, failed, isDone, _error);
        }
    }

    public void Start(CancellationToken cancellationToken) => Completion = Task.Run(() => RunAsync(cancellationToken), CancellationToken.None);

    private async Task RunAsync(CancellationToken cancellationToken)
    {
        try
        {
            // Only then it is known which IDs are taken here, and which messages an earlier import has brought.
            await node.Recovery.WaitAsync(cancellationToken);
            var options = new ImportOptions
            {
                Source = source,
                NodeName = node.Name,
                Concurrency = concurrency,
                TakeOver = true,
                Found = count =>
                {
                    Interlocked.Exchange(ref _found, count);
                    _opened.TrySetResult(null);
                },
                TraceHeader = suppressTraceHeaders ? null : TraceHeader,
                Rebind = Rebind,
                IsKnown = node.Moves is { } moves ? moves.IsKnown : null,
            };
            await foreach (var imported in SpoolImport.RunAsync(node.Spool, options, node.Ids, node.Time, cancellationToken))
                Take(imported);
            Tell(PanicLevel.Notice, $"import of '{source}' ended: {_imported} messages imported, {_failed} failed");
        }
        catch (OperationCanceledException)
        {
            Fail("the node stops; the import goes on when it is started again");
        }
        catch (SpoolFormatException exception)
        {
            // Whoever left that spool may wait for its mail: more than the one who asked should know.
            Tell(PanicLevel.Error, $"import of '{source}' refused: {exception.Message}");
            Fail(exception.Message);
        }
        catch (SpoolOpenException exception)
        {
            Fail(exception.Message);
        }
        catch (Exception exception)  // fenced off: one import; the node goes on
        {
            Fail(exception is IOException ? exception.Message : exception.ToString());
            Tell(PanicLevel.Error, $"import of '{source}' stopped: {_error}");
        }
    }

    private void Take(in ImportedMessage imported)
    {
        node.Logs.Write(new ImportRecord
        {
            Time = node.Time.GetUtcNow().ToUnixTimeSeconds(),
            SourceId = IdOf(imported.SourceId),
            Id = IdOf(imported.Id),
            Result = (Logging.ImportResult)(int)imported.Result,
            SourceBase = source,
        });
        Interlocked.Increment(ref imported.Result is Spool.ImportResult.Ok ? ref _imported : ref _failed);
        if (imported is { Message: { } message, Envelope: { } envelope })
        {
            LogReception(message, envelope);
            node.Statistics.Received(message.Size);
            node.Moves?.Imported(message.Id, envelope);
            if (imported.InDoubtSince is { } since)
                node.Doubts.Add(new(since, message.Id, envelope, Delivery.DoubtCause.Stopped, ""));
            node.Delivery.Enqueue(message, envelope);
        }
        else if (imported.Result is Spool.ImportResult.Ok && !node.Delivery.Holds(imported.Id) && node.Spool.TryFind(imported.Id, out var earlier))
        {
            // An earlier import of this process stored it but failed to remove it at the source, and so did not queue it.
            var stored = node.Spool.ReadEnvelope(earlier);
            LogReception(earlier, stored);
            node.Statistics.Received(earlier.Size);
            node.Delivery.Enqueue(earlier, stored);
        }
    }

    private void LogReception(StoredMessage message, Envelope envelope)
    {
        var (sender, recipient) = (new EnvelopeAddress(envelope.Sender), new EnvelopeAddress(envelope.Recipient));
        node.Logs.Write(new ReceptionRecord
        {
            Time = node.Time.GetUtcNow().ToUnixTimeSeconds(),
            MessageId = LogId.From(envelope.Id),
            BatchId = LogId.From(envelope.BatchId),
            ConnectionId = IdOf(envelope.ConnectionId),
            RecipientLocalpart = recipient.LocalPart.ToString(),
            RecipientDomain = recipient.Domain.ToString(),
            SenderLocalpart = sender.LocalPart.ToString(),
            SenderDomain = sender.Domain.ToString(),
            ClientAddress = envelope.ReceivedFrom?.Address,
            Size = message.Size,
            Protocol = Protocol,
            BindingGroup = envelope.BindingGroup,
            Binding = envelope.Binding,
            Facts = new() { ConnectionContext = envelope.ConnectionContext, MessageContext = envelope.MessageContext },
        });
    }

    /// <summary>A binding keeps its name and gets its group here; one that does not exist here is chosen anew.</summary>
    private Envelope Rebind(Envelope envelope)
    {
        if (node.Configuration.Current.GroupOf(envelope.Binding) is { } group)
            return envelope with { BindingGroup = group };
        var (newGroup, newBinding) = node.Assigner.Assign(envelope);
        return envelope with { BindingGroup = newGroup, Binding = newBinding };
    }

    private ReadOnlyMemory<byte> TraceHeader(Envelope envelope)
    {
        var output = new ArrayBufferWriter<byte>();
        TraceHeaders.WriteImported(node.Hostname, envelope.Sender, envelope.Id.ToString(), node.Time.GetUtcNow(), output);
        return output.WrittenMemory;
    }

    private void Fail(string error)
    {
        _error = error;
        _opened.TrySetResult(error);
    }

    private void Tell(PanicLevel level, string text) => node.Logs.Panic(level, PanicSubsystems.Error, "spool", text);

    private static LogId IdOf(MessageId id) => id.Value == 0 ? default : LogId.From(id);
}
