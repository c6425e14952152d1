using System.Globalization;
using System.Net.Security;
using System.Security.Cryptography.X509Certificates;
using Veredus.Smtp;

namespace Veredus.Reception;

/// <summary>The connection context: strings that live with the session. Envelopes share a snapshot until something changes.</summary>
internal sealed class ConnectionContext
{
    private Dictionary<string, string> _values = new(StringComparer.Ordinal);
    private bool _isShared;

    /// <summary>The values of this moment; never changes afterwards.</summary>
    public IReadOnlyDictionary<string, string> Snapshot()
    {
        _isShared = true;
        return _values;
    }

    /// <summary>A copy with the counts of this moment, for the log: they change all the time and are of no use in the spool.</summary>
    public IReadOnlyDictionary<string, string> WithCounts(SmtpServerSession session)
    {
        var copy = new Dictionary<string, string>(_values, StringComparer.Ordinal);
        foreach (var (key, count) in (ReadOnlySpan<(string, int)>)
            [
                (ContextKeys.ConnectionMessageCount, session.MessageCount), (ContextKeys.ConnectionRcptCount, session.RecipientCount),
                (ContextKeys.MessageRcptCount, session.TransactionRecipients), (ContextKeys.UnrecognizedCommands, session.UnrecognizedCommands),
                (ContextKeys.BadCommands, session.BadCommands),
            ])
        {
            if (count > 0)
                copy[key] = count.ToString(CultureInfo.InvariantCulture);
        }

        return copy;
    }

    public void Set(string key, string value)
    {
        if (_values.TryGetValue(key, out var present) && present == value)
            return;
        Own()[key] = value;
    }

    /// <summary>Sets "true", or takes the key away.</summary>
    public void SetFlag(string key, bool value)
    {
        if (value)
            Set(key, "true");
        else if (_values.ContainsKey(key))
            Own().Remove(key);
    }

    public void Clear() => (_values, _isShared) = (new(StringComparer.Ordinal), false);

    public void SetTls(SmtpTlsInfo tls)
    {
        Set(ContextKeys.Tls, "on");
        Set(ContextKeys.TlsCipher, tls.Cipher.ToString());
        if (Bits(tls.Cipher) is > 0 and var bits)
        {
            Set(ContextKeys.TlsCipherBits, bits.ToString(CultureInfo.InvariantCulture));
            Set(ContextKeys.TlsCipherUsedBits, bits.ToString(CultureInfo.InvariantCulture));
        }

        if (tls.PeerCertificate is not { } certificate)
            return;
        Set(ContextKeys.TlsClientSubject, certificate.Subject);
        Set(ContextKeys.TlsClientSubjectName, certificate.GetNameInfo(X509NameType.SimpleName, forIssuer: false));
        Set(ContextKeys.TlsClientIssuer, certificate.Issuer);
        Set(ContextKeys.TlsClientIssuerName, certificate.GetNameInfo(X509NameType.SimpleName, forIssuer: true));
        if (tls.PeerVerified)
            Set(ContextKeys.TlsClientVerified, "yes");
    }

    private static int Bits(TlsCipherSuite cipher)
    {
        var name = cipher.ToString();
        return name.Contains("256_", StringComparison.Ordinal) || name.Contains("CHACHA20", StringComparison.Ordinal) ? 256 : name.Contains("128_", StringComparison.Ordinal) ? 128 : 0;
    }

    private Dictionary<string, string> Own()
    {
        if (_isShared)
            (_values, _isShared) = (new(_values, StringComparer.Ordinal), false);
        return _values;
    }
}
