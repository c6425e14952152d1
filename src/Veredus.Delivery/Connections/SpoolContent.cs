using System.Buffers;
using System.Text;
using Veredus.Smtp;
using Veredus.Spool;

namespace Veredus.Delivery;

/// <summary>A body in the spool as the session sends it: a small one is read at once into a pooled buffer, a large one in pieces.</summary>
/// <remarks>Dispose it after the transaction, or the spool keeps its place on the disk.</remarks>
public sealed class SpoolContent : MessageContent, IDisposable
{
    /// <summary>Largest body that is read as a whole.</summary>
    public const int MaxWhole = 128 << 10;

    private readonly ISpool _spool;
    private readonly StoredMessage _message;
    private readonly EnvelopeFlags _flags;
    private readonly byte[] _prefix;
    private byte[]? _whole;
    private SpoolBodyReader? _reader;

    /// <param name="returnPath">Put in front as Return-Path: for final delivery (RFC 5321 §4.4); <see langword="null"/>: nothing is.</param>
    /// <exception cref="IOException">The body can't be read.</exception>
    public SpoolContent(ISpool spool, StoredMessage message, EnvelopeFlags flags, string? returnPath)
    {
        (_spool, _message, _flags) = (spool, message, flags);
        _prefix = returnPath is null ? [] : Encoding.UTF8.GetBytes($"Return-Path: <{returnPath}>\r\n");
        Length = _prefix.Length + message.Size;
        _reader = spool.OpenBody(message);
        if (Length > MaxWhole)
            return;
        try
        {
            _whole = ArrayPool<byte>.Shared.Rent((int)Length);
            _prefix.CopyTo(_whole, 0);
            _reader.Read(_whole.AsSpan(_prefix.Length, (int)message.Size));
        }
        catch
        {
            Dispose();
            throw;
        }
        _reader.Dispose();
        _reader = null;
    }

    public override long Length { get; }

    /// <summary>The messages that go with this content: marked as handed over before its last octets go out.</summary>
    internal List<QueuedMessage>? Batch { get; init; }

    /// <summary>All of it went out, or was about to.</summary>
    internal bool HasEnded { get; private set; }

    public override void Ending()
    {
        HasEnded = true;
        if (Batch is not { } batch)
            return;
        foreach (var message in batch)
            _spool.BeginHandOver(message.Stored);
    }

    public override bool MayHaveLeadingDots => !_flags.HasFlag(EnvelopeFlags.NoLeadingDots);

    public override bool IsEightBit => _flags.HasFlag(EnvelopeFlags.EightBit);

    public override bool TryGetSequence(out ReadOnlySequence<byte> content)
    {
        content = _whole is null ? default : new(_whole, 0, (int)Length);
        return _whole is not null;
    }

    public override ValueTask<int> ReadAsync(long offset, Memory<byte> destination, CancellationToken cancellationToken)
    {
        if (_whole is { } whole)
        {
            var rest = whole.AsSpan((int)offset, (int)Math.Min(destination.Length, Length - offset));
            rest.CopyTo(destination.Span);
            return ValueTask.FromResult(rest.Length);
        }
        if (offset < _prefix.Length)
        {
            var head = _prefix.AsSpan((int)offset, Math.Min(destination.Length, _prefix.Length - (int)offset));
            head.CopyTo(destination.Span);
            return ValueTask.FromResult(head.Length);
        }
        return ValueTask.FromResult(ReaderAt(offset - _prefix.Length, destination.Span).Read(destination.Span));
    }

    public void Dispose()
    {
        _reader?.Dispose();
        _reader = null;
        if (_whole is { } whole)
            ArrayPool<byte>.Shared.Return(whole);
        _whole = null;
    }

    /// <summary>A reader goes forward only; whoever wants an earlier place begins again.</summary>
    /// <param name="scratch">Overwritten when something has to be skipped.</param>
    private SpoolBodyReader ReaderAt(long position, Span<byte> scratch)
    {
        if (_reader is null || _reader.Position > position)
        {
            _reader?.Dispose();
            _reader = _spool.OpenBody(_message);
        }
        while (_reader.Position < position)
            _reader.Read(scratch[..(int)Math.Min(scratch.Length, position - _reader.Position)]);
        return _reader;
    }
}
