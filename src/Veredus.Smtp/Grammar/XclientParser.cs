using System.Globalization;
using System.Net;
using System.Text;

namespace Veredus.Smtp;

/// <summary>The attributes of XCLIENT (Postfix XCLIENT_README); values are xtext.</summary>
internal static class XclientParser
{
    public static bool TryRead(ReadOnlySpan<byte> argument, out XclientCommand command)
    {
        command = new();
        var any = false;
        foreach (var attribute in Encoding.ASCII.GetString(argument).Split(' ', StringSplitOptions.RemoveEmptyEntries))
        {
            var equals = attribute.IndexOf('=', StringComparison.Ordinal);
            if (equals <= 0 || !Xtext.TryDecode(attribute[(equals + 1)..], out var text))
                return false;
            var value = text is "[UNAVAILABLE]" or "[TEMPUNAVAIL]" or "" ? null : text;
            if (Apply(command, attribute[..equals].ToUpperInvariant(), value) is not { } next)
                return false;
            (command, any) = (next, true);
        }

        return any;
    }

    private static XclientCommand? Apply(XclientCommand command, string name, string? value)
    {
        switch (name)
        {
            case "NAME":
                return command with { Name = value };
            case "HELO":
                return command with { Helo = value };
            case "LOGIN":
                return command with { Login = value };
            case "PROTO":
                return value is null or "SMTP" or "ESMTP" ? command with { Protocol = value } : null;
            case "ADDR" or "DESTADDR":
                if (!TryReadAddress(value, out var address))
                    return null;
                return name == "ADDR" ? command with { Address = address } : command with { DestinationAddress = address };
            case "PORT" or "DESTPORT":
                if (!TryReadPort(value, out var port))
                    return null;
                return name == "PORT" ? command with { Port = port } : command with { DestinationPort = port };
            default:
                return null;
        }
    }

    private static bool TryReadAddress(string? value, out IPAddress? address)
    {
        address = null;
        if (value is null)
            return true;
        // Postfix writes IPv4 bare and IPv6 with the prefix of literals.
        var isRead = AddressGrammar.TryParseLiteral(Encoding.UTF8.GetBytes(value), out var parsed);
        address = parsed;
        return isRead;
    }

    private static bool TryReadPort(string? value, out int? port)
    {
        port = null;
        if (value is null)
            return true;
        var isRead = ushort.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out var number);
        port = number;
        return isRead;
    }
}
