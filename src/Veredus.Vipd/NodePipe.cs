using System.Runtime.InteropServices;
using Veredus.Network;

namespace Veredus.Vipd;

/// <summary>The node at the other end of standard input and output. Neither reading nor writing ever blocks.</summary>
internal sealed class NodePipe
{
    private const int Input = 0, Output = 1;
    private const int SetFlags = 4;
    /// <summary>Answers that a node may leave unread; one that leaves more is not alive.</summary>
    private const int MaxUnsent = 16 * 1024 * 1024;

    private byte[] _input = new byte[64 * 1024];
    private int _filled;
    private readonly Queue<byte[]> _unsent = new();
    private int _unsentBytes, _sentOfFirst;

    public NodePipe()
    {
        foreach (var fd in (ReadOnlySpan<int>)[Input, Output])
            if (LibC.Fcntl(fd, SetFlags, LibC.SockNonBlock) != 0)
                throw LibC.Failure("fcntl(O_NONBLOCK)");
    }

    /// <summary>The node has ended, or no longer reads.</summary>
    public bool IsOver { get; private set; }

    public static LibC.PollFd WaitForInput => new() { Fd = Input, Events = LibC.PollIn };

    public LibC.PollFd WaitForOutput => new() { Fd = _unsent.Count > 0 ? Output : -1, Events = LibC.PollOut };

    /// <summary>Takes what has arrived. Bodies are copies.</summary>
    /// <exception cref="InvalidDataException">The stream makes no sense.</exception>
    public unsafe void Receive(Action<GuardFrame> deliver)
    {
        while (true)
        {
            if (_filled == _input.Length)
                Array.Resize(ref _input, Math.Min(_input.Length * 2, GuardWire.MaxFrame + GuardWire.HeaderSize));
            nint read;
            fixed (byte* bytes = &_input[_filled])
                read = LibC.Read(Input, bytes, _input.Length - _filled);
            if (read <= 0)
            {
                IsOver |= read == 0 || Marshal.GetLastPInvokeError() is not (LibC.EAgain or LibC.EIntr);
                return;
            }
            _filled += (int)read;
            ReadOnlyMemory<byte> rest = _input.AsMemory(0, _filled);
            while (GuardWire.TryRead(ref rest, out var frame))
                deliver(frame with { Body = frame.Body.ToArray() });
            rest.CopyTo(_input);
            _filled = rest.Length;
        }
    }

    public void Send(byte[] frame)
    {
        _unsent.Enqueue(frame);
        _unsentBytes += frame.Length;
        Flush();
        IsOver |= _unsentBytes > MaxUnsent;
    }

    /// <summary>Sends as much as the node takes now.</summary>
    public unsafe void Flush()
    {
        while (_unsent.TryPeek(out var first))
        {
            nint written;
            fixed (byte* bytes = &first[_sentOfFirst])
                written = LibC.Write(Output, bytes, first.Length - _sentOfFirst);
            if (written < 0)
            {
                IsOver |= Marshal.GetLastPInvokeError() is not (LibC.EAgain or LibC.EIntr);
                return;
            }
            _sentOfFirst += (int)written;
            _unsentBytes -= (int)written;
            if (_sentOfFirst < first.Length)
                continue;
            _unsent.Dequeue();
            _sentOfFirst = 0;
        }
    }
}
