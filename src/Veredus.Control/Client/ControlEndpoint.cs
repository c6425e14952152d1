using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Net;

namespace Veredus.Control;

/// <summary>Where a console connects: a socket path, <c>host:port</c> or <c>[ip6]:port</c>, with an optional <c>user@</c>.</summary>
public sealed record ControlEndpoint
{
    /// <summary>The node's socket.</summary>
    public const string DefaultPath = "/run/veredus/control.sock";

    /// <summary>The manager's socket.</summary>
    public const string ManagerPath = "/run/veredus/manager.sock";

    /// <summary>The port where none is given.</summary>
    public const int DefaultPort = 2025;

    private ControlEndpoint()
    {
    }

    /// <summary>Path of a Unix socket, else <see langword="null"/>.</summary>
    public string? Path { get; private init; }

    /// <summary>Host name or address without brackets, else empty.</summary>
    public string Host { get; private init; } = "";

    public int Port { get; private init; }

    /// <summary>Empty when none was given.</summary>
    public string User { get; private init; } = "";

    public bool IsLoopback => Path is not null || Host == "localhost" || (IPAddress.TryParse(Host, out var address) && IPAddress.IsLoopback(address));

    /// <summary>The local node: <c>VEREDUS_CONTROL</c>, else <see cref="DefaultPath"/>.</summary>
    public static ControlEndpoint Default =>
        new() { Path = Environment.GetEnvironmentVariable("VEREDUS_CONTROL") is { Length: > 0 } path ? path : DefaultPath };

    public static ControlEndpoint Unix(string path) => new() { Path = path };

    /// <summary>Whether a word looks like an endpoint rather than a command.</summary>
    public static bool Looks(string word) => word.Length > 0 && (word[0] is '/' or '[' || word.StartsWith("./", StringComparison.Ordinal)
        || word.StartsWith("ssh://", StringComparison.Ordinal) || word.Contains('@', StringComparison.Ordinal)
        || (word.LastIndexOf(':') is > 0 and var colon && ushort.TryParse(word.AsSpan(colon + 1), NumberStyles.None, CultureInfo.InvariantCulture, out _)));

    /// <summary>Reads an endpoint; <paramref name="error"/> says what would be accepted.</summary>
    public static bool TryParse(string text, [NotNullWhen(true)] out ControlEndpoint? endpoint, out string error)
    {
        (endpoint, error) = (null, "");
        if (text.StartsWith("ssh://", StringComparison.Ordinal))
        {
            var inner = text["ssh://".Length..].Split('/', 2);
            error = $"ssh:// endpoints are ssh's business: ssh {inner[0]} ec_console{(inner.Length > 1 ? " " + inner[1] : "")}";
            return false;
        }
        if (text.StartsWith('/') || text.StartsWith("./", StringComparison.Ordinal))
        {
            endpoint = Unix(text);
            return true;
        }
        var at = text.LastIndexOf('@');
        var (user, place) = at < 0 ? ("", text) : (text[..at], text[(at + 1)..]);
        var (host, port) = (place, DefaultPort);
        if (place.StartsWith('['))
        {
            var close = place.IndexOf(']', StringComparison.Ordinal);
            host = close > 0 ? place[1..close] : "";
            if (close < 0 || !IPAddress.TryParse(host, out _) || !TryPort(place[(close + 1)..], ref port))
                host = "";
        }
        else if (place.LastIndexOf(':') is >= 0 and var colon)
        {
            host = TryPort(place[colon..], ref port) ? place[..colon] : "";
        }
        if (host.Length == 0)
        {
            error = $"'{text}' is not an endpoint; give a socket path, host:port or [ip6]:port, with user@ in front if need be";
            return false;
        }
        endpoint = new() { Host = host, Port = port, User = user };
        return true;
    }

    public override string ToString() => Path ?? (User.Length > 0 ? User + "@" : "")
        + (Host.Contains(':', StringComparison.Ordinal) ? $"[{Host}]" : Host) + string.Create(CultureInfo.InvariantCulture, $":{Port}");

    private static bool TryPort(string text, ref int port)
    {
        if (text.Length == 0)
            return true;
        if (text[0] != ':' || !ushort.TryParse(text.AsSpan(1), NumberStyles.None, CultureInfo.InvariantCulture, out var number) || number == 0)
            return false;
        port = number;
        return true;
    }
}
