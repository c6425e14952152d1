using System.Globalization;
using System.Text;

namespace Veredus.Smtp;

/// <summary>Greeting, EHLO and XCLIENT.</summary>
public sealed partial class SmtpServerSession
{
    private void WriteBanner()
    {
        WriteLine(Options.Banner ?? string.Create(
            CultureInfo.InvariantCulture,
            $"220 {Options.HostName} ESMTP {Options.Product} {_sessions.Clock.Time.GetUtcNow():ddd, dd MMM yyyy HH':'mm':'ss '+0000'}"));
    }

    private async ValueTask HelloAsync(HelloVerb verb, string name)
    {
        State = SessionState.SendingEhloResponse;
        AbortTransaction();
        (HelloVerb, HelloName) = (verb, name);
        var reply = await _handler.HelloAsync(this, _aborted);
        if (reply is { IsPositive: false })
        {
            (HelloVerb, HelloName, _phase) = (HelloVerb.None, "", SmtpPhase.Connected);
            Reply(reply);
            return;
        }

        _phase = SmtpPhase.Greeted;
        var greeting = $"{Options.HostName} says {(verb == HelloVerb.Ehlo ? "EHLO" : "HELO")} to {RemoteEndPoint.Address}";
        if (verb == HelloVerb.Helo)
        {
            WriteLine("250 " + greeting);
            return;
        }

        var lines = new StringBuilder(320).Append("250-").Append(greeting);
        Offer(SmtpExtensions.Pipelining, "PIPELINING");
        Offer(SmtpExtensions.EightBitMime, "8BITMIME");
        if (Options.MaxMessageSize > 0)
            Offer(SmtpExtensions.Size, string.Create(CultureInfo.InvariantCulture, $"SIZE {Options.MaxMessageSize}"));
        else
            Offer(SmtpExtensions.Size, "SIZE");
        Offer(SmtpExtensions.Dsn, "DSN");
        Offer(SmtpExtensions.Chunking, "CHUNKING");
        Offer(SmtpExtensions.SmtpUtf8, "SMTPUTF8");
        if (OffersStartTls)
            Offer(SmtpExtensions.StartTls, "STARTTLS");
        if (OfferedMechanisms is not AuthMechanisms.None and var mechanisms && AuthenticatedUser is null)
        {
            lines.Append("\r\n250-AUTH");
            if ((mechanisms & AuthMechanisms.ScramSha256) != 0)
                lines.Append(" SCRAM-SHA-256");
            if ((mechanisms & AuthMechanisms.Plain) != 0)
                lines.Append(" PLAIN");
            if ((mechanisms & AuthMechanisms.Login) != 0)
                lines.Append(" LOGIN");
        }

        Offer(SmtpExtensions.Xecmmove, "XECMMOVE");
        Offer(SmtpExtensions.Xclient, "XCLIENT NAME ADDR PORT PROTO HELO LOGIN DESTADDR DESTPORT");
        WriteLine(lines.Append("\r\n250 ENHANCEDSTATUSCODES").ToString());

        void Offer(SmtpExtensions extension, string keyword)
        {
            if ((Options.Extensions & extension) != 0)
                lines.Append("\r\n250-").Append(keyword);
        }
    }

    private bool OffersStartTls =>
        Options.Tls is not null && !Options.ImplicitTls && Tls is null && (Options.Extensions & SmtpExtensions.StartTls) != 0;

    private AuthMechanisms OfferedMechanisms =>
        Tls is not null || Options.AllowPlaintextAuth ? Options.AuthMechanisms : Options.AuthMechanisms & AuthMechanisms.ScramSha256;

    private async ValueTask XclientAsync(XclientCommand command)
    {
        if (await _handler.XclientAsync(this, command, _aborted) is { IsPositive: false } refusal)
        {
            Reply(refusal);
            return;
        }

        Xclient = command;
        RemoteEndPoint = new(command.Address ?? RemoteEndPoint.Address, command.Port ?? RemoteEndPoint.Port);
        LocalEndPoint = new(command.DestinationAddress ?? LocalEndPoint.Address, command.DestinationPort ?? LocalEndPoint.Port);
        if (command.Login is not null)
            AuthenticatedUser = command.Login;
        (HelloVerb, HelloName, _phase) = (HelloVerb.None, "", SmtpPhase.Connected);
        WriteBanner();
    }

    private void WriteLine(string line)
    {
        var span = _output.GetSpan(Encoding.UTF8.GetMaxByteCount(line.Length) + 2);
        var length = Encoding.UTF8.GetBytes(line, span);
        "\r\n"u8.CopyTo(span[length..]);
        _output.Advance(length + 2);
    }
}
