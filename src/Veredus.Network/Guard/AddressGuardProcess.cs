using System.Buffers.Binary;
using System.Collections.Concurrent;
using System.Diagnostics;
using System.Net;
using System.Threading.Channels;

namespace Veredus.Network;

/// <summary>
/// The guard as a process of its own: starts <c>vipd</c> and talks to it over its standard input and output. When this process ends, however it
/// ends, the guard reads the end of its input and takes every address off.
/// </summary>
public sealed class AddressGuardProcess : IAddressGuard
{
    private static readonly TimeSpan s_exitTimeout = TimeSpan.FromSeconds(5);

    private readonly Process _process;
    private readonly Channel<byte[]> _outgoing = Channel.CreateUnbounded<byte[]>(new() { SingleReader = true });
    private readonly Channel<GuardNotice> _notices = Channel.CreateUnbounded<GuardNotice>(new() { SingleWriter = true });
    private readonly ConcurrentDictionary<uint, TaskCompletionSource<GuardFrame>> _pending = new();
    private readonly Task _writing, _reading;
    private uint _lastId;
    private volatile bool _ended;
    private int _beatWaits, _disposed;
    private long _evidence;

    private AddressGuardProcess(Process process)
    {
        _process = process;
        _reading = ReadAsync();
        _writing = WriteAsync();
    }

    /// <summary>The guard's process id.</summary>
    public int ProcessId => _process.Id;

    public ChannelReader<GuardNotice> Notices => _notices.Reader;

    /// <summary>Starts a guard in this process' network namespace.</summary>
    /// <param name="command">Program and arguments; default: <c>vipd</c> beside this program.</param>
    /// <exception cref="System.ComponentModel.Win32Exception">The program is missing or may not be run.</exception>
    public static async Task<AddressGuardProcess> StartAsync(
        GuardSettings settings, IReadOnlyList<string>? command, CancellationToken cancellationToken)
    {
        command ??= [Path.Combine(AppContext.BaseDirectory, "vipd")];
        var start = new ProcessStartInfo(command[0], command.Skip(1))
        {
            RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true,
        };
        var guard = new AddressGuardProcess(Process.Start(start) ?? throw new IOException($"{command[0]} could not be started."));
        try
        {
            await guard.ConfigureAsync(settings, cancellationToken);
            return guard;
        }
        catch
        {
            await guard.DisposeAsync();
            throw;
        }
    }

    public Task ConfigureAsync(GuardSettings settings, CancellationToken cancellationToken) =>
        AskAsync(GuardVerb.Configure, writer => GuardWire.Write(writer, settings), cancellationToken);

    public async Task<IReadOnlyList<GuardResult>> CleanAsync(IReadOnlyList<IPAddress> configured, CancellationToken cancellationToken) =>
        Results(await AskAsync(GuardVerb.Clean, writer => GuardWire.Write(writer, configured), cancellationToken));

    public async Task<IReadOnlyList<GuardResult>> AddAsync(IReadOnlyList<IPAddress> addresses, CancellationToken cancellationToken) =>
        Results(await AskAsync(GuardVerb.Add, writer => GuardWire.Write(writer, addresses), cancellationToken));

    public async Task<IReadOnlyList<GuardResult>> RemoveAsync(IReadOnlyList<IPAddress> addresses, CancellationToken cancellationToken) =>
        Results(await AskAsync(GuardVerb.Remove, writer => GuardWire.Write(writer, addresses), cancellationToken));

    public async Task<IReadOnlyList<ProbeAnswer>> ProbeAsync(
        IReadOnlyList<IPAddress> addresses, TimeSpan wait, CancellationToken cancellationToken)
    {
        var frame = await AskAsync(GuardVerb.Probe, writer =>
        {
            writer.Write(wait.Ticks);
            GuardWire.Write(writer, addresses);
        }, cancellationToken);
        using var reader = GuardWire.Reader(frame.Body);
        return GuardWire.ReadProbeAnswers(reader);
    }

    public Task AnnounceAsync(
        IReadOnlyList<IPAddress> addresses, AnnounceScope scope, IReadOnlyList<NeighbourInfo> known, CancellationToken cancellationToken) =>
        AskAsync(GuardVerb.Announce, writer =>
        {
            writer.Write((byte)scope);
            GuardWire.Write(writer, addresses);
            GuardWire.Write(writer, known);
        }, cancellationToken);

    /// <summary>
    /// Asks for things that change nothing, so that the just-in-time compilers here and in the guard have been that way before the first takeover: addresses of 0.0.0.0/8, which no host can have
    /// and no Topology contains.
    /// </summary>
    /// <exception cref="IOException">The guard has ended.</exception>
    public async Task RehearseAsync(CancellationToken cancellationToken)
    {
        IPAddress[] addresses = [.. Enumerable.Range(1, 64).Select(n => new IPAddress([0, 0, 0, (byte)n]))];
        NeighbourInfo[] known = [new(0, addresses[0], MacAddress.None)];
        await ProbeAsync(addresses, TimeSpan.Zero, cancellationToken);
        await AddAsync(addresses, cancellationToken);
        await AnnounceAsync(addresses, AnnounceScope.AllHosts, known, cancellationToken);
        await RemoveAsync(addresses, cancellationToken);
    }

    public void Beat() => Beat(Stopwatch.GetTimestamp());

    public void Beat(long evidence)
    {
        Interlocked.Exchange(ref _evidence, evidence);
        // A guard that doesn't read gets one beat, not a heap of old ones.
        if (Interlocked.Exchange(ref _beatWaits, 1) == 0)
            _outgoing.Writer.TryWrite([]);
    }

    private async Task<GuardFrame> AskAsync(GuardVerb verb, Action<BinaryWriter> body, CancellationToken cancellationToken)
    {
        var id = Interlocked.Increment(ref _lastId);
        var answer = new TaskCompletionSource<GuardFrame>(TaskCreationOptions.RunContinuationsAsynchronously);
        _pending[id] = answer;
        if (!_outgoing.Writer.TryWrite(GuardWire.Frame(verb, id, body)) || _ended)
            answer.TrySetException(new IOException("The address guard has ended."));
        try
        {
            return await answer.Task.WaitAsync(cancellationToken);
        }
        finally
        {
            _pending.TryRemove(id, out _);
        }
    }

    private static IReadOnlyList<GuardResult> Results(GuardFrame frame)
    {
        using var reader = GuardWire.Reader(frame.Body);
        return GuardWire.ReadResults(reader);
    }

    private async Task WriteAsync()
    {
        var stream = _process.StandardInput.BaseStream;
        try
        {
            await foreach (var frame in _outgoing.Reader.ReadAllAsync())
            {
                await stream.WriteAsync(frame.Length > 0 ? frame : BeatNow());
                await stream.FlushAsync();
            }
        }
        catch (IOException)
        {
            // The guard is gone; the reading side reports it and ends what waits.
        }
    }

    private byte[] BeatNow()
    {
        Volatile.Write(ref _beatWaits, 0);
        return GuardWire.Frame(GuardVerb.Beat, 0, writer => writer.Write(Interlocked.Read(ref _evidence)));
    }

    private async Task ReadAsync()
    {
        var errors = _process.StandardError.ReadToEndAsync();
        var reason = "";
        try
        {
            await ReadFramesAsync(_process.StandardOutput.BaseStream);
        }
        catch (Exception failure) when (failure is IOException or InvalidDataException)
        {
            reason = failure.Message;
            _process.Kill();  // what it says makes no sense; its addresses run out
        }
        var said = (await errors).Trim();
        await _process.WaitForExitAsync();
        End(string.Join("; ", new[] { $"exit code {_process.ExitCode}", reason, said }.Where(part => part.Length > 0)));
    }

    private async Task ReadFramesAsync(Stream stream)
    {
        var buffer = new byte[64 * 1024];
        var filled = 0;
        while (true)
        {
            var read = await stream.ReadAsync(buffer.AsMemory(filled));
            if (read == 0)
                return;
            ReadOnlyMemory<byte> rest = buffer.AsMemory(0, filled + read);
            while (GuardWire.TryRead(ref rest, out var frame))
                Deliver(frame with { Body = frame.Body.ToArray() });
            // What is left is the start of one frame; make room for all of it.
            var needed = rest.Length >= 4 ? 4 + BinaryPrimitives.ReadInt32LittleEndian(rest.Span) : 0;
            var next = needed > buffer.Length ? new byte[needed] : buffer;
            rest.Span.CopyTo(next);
            (buffer, filled) = (next, rest.Length);
        }
    }

    private void Deliver(GuardFrame frame)
    {
        if (frame.Verb is GuardVerb.LeaseExpired or GuardVerb.Vanished)
        {
            using var reader = GuardWire.Reader(frame.Body);
            var addresses = GuardWire.ReadAddresses(reader);
            _notices.Writer.TryWrite(frame.Verb == GuardVerb.Vanished ? new GuardNotice.Vanished(addresses) : new GuardNotice.LeaseExpired(addresses));
        }
        else if (_pending.TryGetValue(frame.Id, out var waiting))
        {
            waiting.TrySetResult(frame);
        }
    }

    private void End(string reason)
    {
        _ended = true;
        _outgoing.Writer.TryComplete();
        foreach (var waiting in _pending.Values)
            waiting.TrySetException(new IOException($"The address guard has ended: {reason}"));
        _notices.Writer.TryWrite(new GuardNotice.Ended(reason));
        _notices.Writer.TryComplete();
    }

    /// <summary>Closes the guard's input: it takes every address off and ends.</summary>
    public async ValueTask DisposeAsync()
    {
        if (Interlocked.Exchange(ref _disposed, 1) != 0)
            return;
        _outgoing.Writer.TryComplete();
        using var timeout = new CancellationTokenSource(s_exitTimeout);
        try
        {
            await _writing.WaitAsync(timeout.Token);
            _process.StandardInput.Close();
            await _process.WaitForExitAsync(timeout.Token);
        }
        catch (OperationCanceledException)
        {
            _process.Kill();  // it hangs; its addresses run out by the kernel's clock
        }
        catch (IOException)
        {
            // Closing flushes into a pipe whose reader is gone: it has ended already.
        }
        await _reading;
        _process.Dispose();
    }
}
