using System.Buffers;

namespace Veredus.Reception.Content;

/// <summary>
/// Turns the content of a message as the client sent it into the content that is spooled: headers are checked, completed
/// and stripped; the body passes through. A stream: only the header section is held, and that only up to <see cref="MaxHeaderBytes"/>.
/// </summary>
/// <remarks>Input is free of dot-stuffing and of the final dot; in the headers every lone CR or LF becomes a line end, whether the message will be accepted or not. One filter a message; not thread-safe; dispose to give back the buffer.</remarks>
public sealed class ContentFilter(ContentRules rules, TraceFacts trace, IBufferWriter<byte> output) : IDisposable
{
    /// <summary>Largest header section, in octets, that is accepted.</summary>
    public const int MaxHeaderBytes = 256 * 1024;

    private readonly HeaderRewriter _headers = new(rules, trace);
    private readonly BodyWriter _body = new(rules.FixLineEndsInBody, rules.BreakLinesAt);
    private byte[]? _held;
    private int _heldBytes;
    private int _scanned;
    private bool _inBody;

    /// <summary>What was found in the headers; complete once the body has begun or <see cref="Complete"/> was called.</summary>
    public HeaderFacts Facts => _headers.Facts;

    /// <summary>The first fault; once there is one, nothing more is written.</summary>
    public ContentFault Fault { get; private set; }

    /// <summary>Takes the next piece of the message.</summary>
    /// <returns><see langword="false"/> when the message is refused (<see cref="Fault"/>); the rest need not be given.</returns>
    public bool Write(ReadOnlySpan<byte> bytes)
    {
        if (Fault != ContentFault.None)
            return false;
        if (_inBody)
        {
            _body.Write(bytes, output);
            return true;
        }

        if (_heldBytes > 0)
        {
            // Only as much as may still be header: the body is not copied into the held part in one piece.
            while (!_inBody && bytes.Length > 0)
            {
                var taken = Math.Min(bytes.Length, 4096);
                Hold(bytes[..taken]);
                bytes = bytes[taken..];
                if (!Scan(_held.AsSpan(0, _heldBytes), isLast: false))
                    return false;
            }

            _body.Write(bytes, output);
            return true;
        }

        // The usual case: the first piece holds all headers, and nothing is copied.
        if (!Scan(bytes, isLast: false))
            return false;
        if (!_inBody)
            Hold(bytes);
        return true;
    }

    /// <summary>Says that the message is complete.</summary>
    /// <returns><see langword="false"/> when the message is refused (<see cref="Fault"/>).</returns>
    public bool Complete()
    {
        if (Fault != ContentFault.None)
            return false;
        if (!_inBody && !Scan(_held.AsSpan(0, _heldBytes), isLast: true))
            return false;
        _body.Complete(output);
        return true;
    }

    public void Dispose()
    {
        if (_held is not null)
            ArrayPool<byte>.Shared.Return(_held);
        _held = null;
        _headers.Dispose();
    }

    private bool Scan(ReadOnlySpan<byte> bytes, bool isLast)
    {
        var end = HeaderEnd.Find(bytes, isLast, ref _scanned);
        if (!end.Found)
            return bytes.Length <= MaxHeaderBytes || Accept(ContentFault.HeadersTooLarge);
        if (end.HeaderBytes > MaxHeaderBytes)
            return Accept(ContentFault.HeadersTooLarge);
        _inBody = true;
        if (!Accept(_headers.Rewrite(bytes[..end.HeaderBytes], output)))
            return false;
        output.Write("\r\n"u8);
        _body.Write(bytes[(end.HeaderBytes + end.BlankBytes)..], output);
        return true;
    }

    private bool Accept(ContentFault fault)
    {
        Fault = fault;
        return fault == ContentFault.None;
    }

    private void Hold(ReadOnlySpan<byte> bytes)
    {
        var needed = _heldBytes + bytes.Length;
        if (_held is null || _held.Length < needed)
        {
            var larger = ArrayPool<byte>.Shared.Rent(Math.Max(needed, 8192));
            if (_held is not null)
            {
                _held.AsSpan(0, _heldBytes).CopyTo(larger);
                ArrayPool<byte>.Shared.Return(_held);
            }

            _held = larger;
        }

        bytes.CopyTo(_held.AsSpan(_heldBytes));
        _heldBytes = needed;
    }
}
