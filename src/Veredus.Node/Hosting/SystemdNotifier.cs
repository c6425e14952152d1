using System.Globalization;
using System.Net.Sockets;
using System.Text;

namespace Veredus.Node.Hosting;

/// <summary>Tells systemd how the service does (sd_notify(3)): datagrams to the socket that <c>NOTIFY_SOCKET</c> names. Without one it does nothing.</summary>
public sealed class SystemdNotifier : IDisposable
{
    private readonly Socket? _socket;
    private readonly UnixDomainSocketEndPoint? _address;

    /// <param name="notifySocket">Value of <c>NOTIFY_SOCKET</c>: an absolute path, or <c>@name</c> in the abstract name space.</param>
    /// <param name="watchdogUsec">Value of <c>WATCHDOG_USEC</c>.</param>
    public SystemdNotifier(string? notifySocket, string? watchdogUsec)
    {
        if (string.IsNullOrEmpty(notifySocket) || notifySocket[0] is not ('/' or '@'))
            return;
        _address = new(notifySocket[0] == '@' ? "\0" + notifySocket[1..] : notifySocket);
        _socket = new(AddressFamily.Unix, SocketType.Dgram, ProtocolType.Unspecified);
        if (long.TryParse(watchdogUsec, NumberStyles.None, CultureInfo.InvariantCulture, out var microseconds) && microseconds > 0)
            WatchdogInterval = TimeSpan.FromMicroseconds(microseconds) / 2;
    }

    /// <summary>How often <see cref="Watchdog"/> has to be called: half of what systemd waits; <see langword="null"/> when it does not watch.</summary>
    public TimeSpan? WatchdogInterval { get; }

    public static SystemdNotifier FromEnvironment() =>
        new(Environment.GetEnvironmentVariable("NOTIFY_SOCKET"), Environment.GetEnvironmentVariable("WATCHDOG_USEC"));

    public void Ready(string status) => Send($"READY=1\nSTATUS={status}");

    /// <summary>A reload begins; <see cref="Ready"/> ends it.</summary>
    /// <param name="monotonicMicroseconds">CLOCK_MONOTONIC, which Type=notify-reload wants to see.</param>
    public void Reloading(long monotonicMicroseconds) =>
        Send(string.Create(CultureInfo.InvariantCulture, $"RELOADING=1\nMONOTONIC_USEC={monotonicMicroseconds}"));

    public void Stopping() => Send("STOPPING=1");

    public void Watchdog() => Send("WATCHDOG=1");

    public void Dispose() => _socket?.Dispose();

    private void Send(string state)
    {
        if (_socket is null)
            return;
        try
        {
            _socket.SendTo(Encoding.UTF8.GetBytes(state), SocketFlags.None, _address!);
        }
        catch (SocketException)
        {
            // The supervisor is gone or does not listen; mail goes on, and systemd's own timeouts tell the operator.
        }
    }
}
