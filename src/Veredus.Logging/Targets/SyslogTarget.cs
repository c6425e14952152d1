using System.Globalization;
using System.Net.Sockets;
using System.Text;

namespace Veredus.Logging;

/// <summary>The system's log through <c>/dev/log</c>; one datagram a line, as syslog(3) sends it.</summary>
public sealed class SyslogTarget : ILogTarget
{
    private static readonly string[] Facilities =
        ["kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron", "authpriv", "ftp",
         "", "", "", "", "local0", "local1", "local2", "local3", "local4", "local5", "local6", "local7"];

    private static readonly string[] Priorities = ["emerg", "alert", "crit", "err", "warning", "notice", "info", "debug"];

    private readonly string _path;
    private readonly byte[] _prefix;
    private Socket? _socket;

    /// <param name="facility">e.g. <c>mail</c>, the usual one.</param>
    /// <param name="priority">e.g. <c>err</c>.</param>
    /// <param name="path">The datagram socket; <c>/dev/log</c> unless a test says otherwise.</param>
    /// <exception cref="ArgumentException">Unknown facility or priority; the message lists the known ones.</exception>
    public SyslogTarget(string facility, string priority, string path = "/dev/log")
    {
        _path = path;
        var number = (Index(Facilities, facility, nameof(facility)) * 8) + Index(Priorities, priority, nameof(priority));
        _prefix = Encoding.ASCII.GetBytes(string.Create(CultureInfo.InvariantCulture, $"<{number}>veredus[{Environment.ProcessId}]: "));
    }

    public string Name => "syslog";

    public void Write(ReadOnlySpan<byte> lines)
    {
        try
        {
            _socket ??= Connect();
            var datagram = new byte[_prefix.Length + 8192];
            _prefix.CopyTo(datagram, 0);
            while (!lines.IsEmpty)
            {
                var end = lines.IndexOf((byte)'\n');
                var line = end < 0 ? lines : lines[..end];
                lines = end < 0 ? [] : lines[(end + 1)..];
                line = line[..Math.Min(line.Length, 8192)];
                line.CopyTo(datagram.AsSpan(_prefix.Length));
                _socket.Send(datagram.AsSpan(0, _prefix.Length + line.Length));
            }
        }
        catch (SocketException exception)
        {
            _socket?.Dispose();
            _socket = null;
            // Lines already sent would be sent twice if the rest were tried again: like syslog(3), drop what does not fit.
            if (exception.SocketErrorCode is not SocketError.WouldBlock)
                throw new IOException($"{_path}: {exception.Message}", exception);
        }
    }

    public void Reopen()
    {
        _socket?.Dispose();
        _socket = null;
    }

    public void Dispose() => _socket?.Dispose();

    private Socket Connect()
    {
        var socket = new Socket(AddressFamily.Unix, SocketType.Dgram, ProtocolType.Unspecified) { Blocking = false };
        try
        {
            socket.Connect(new UnixDomainSocketEndPoint(_path));
            return socket;
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    private static int Index(string[] names, string name, string parameter)
    {
        var index = Array.FindIndex(names, known => known.Length > 0 && known.Equals(name, StringComparison.OrdinalIgnoreCase));
        return index >= 0 ? index : throw new ArgumentException(
            $"'{name}' is not a syslog {parameter}; known are {string.Join(' ', names.Where(known => known.Length > 0))}.", parameter);
    }
}
