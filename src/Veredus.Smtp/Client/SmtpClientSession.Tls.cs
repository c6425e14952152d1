using System.Net.Security;
using System.Security.Authentication;
using System.Security.Cryptography.X509Certificates;

namespace Veredus.Smtp;

/// <summary>STARTTLS.</summary>
public sealed partial class SmtpClientSession
{
    /// <summary>
    /// STARTTLS, handshake, check of the certificate and EHLO again. Where the peer doesn't offer or refuses the command
    /// (stages 15 and 16) the session stays usable in clear text; after any other failure it is unusable.
    /// </summary>
    public async ValueTask<SmtpOutcome> StartTlsAsync(SmtpClientTls tls, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(tls);
        using var call = Begin(cancellationToken);
        if ((Capabilities & SmtpCapabilities.StartTls) == 0)
            return new(InternalReplies.StartTlsNotOffered, SmtpStage.DuringStartTls);
        var outcome = await ExchangeAsync("STARTTLS", SmtpStage.DuringStartTls, _options.EhloTimeout, 220);
        if (!outcome.IsSuccess)
            return outcome;
        if (_inputEnd > _inputStart + _replyLength)
        {
            // Plain text behind the go-ahead would be taken for replies inside TLS (CVE-2011-0411, the other way round).
            IsUsable = false;
            return new(InternalReplies.TlsFailed("plain text after the go-ahead"), SmtpStage.AfterStartTls);
        }

        (_inputStart, _inputEnd, _replyLength) = (0, 0, 0);
        return await HandshakeAsync(tls) is { } failure ? new(failure, SmtpStage.HandshakingTls) : await HelloAsync();
    }

    private async ValueTask<SmtpReply?> HandshakeAsync(SmtpClientTls tls)
    {
        Stage = SmtpStage.HandshakingTls;
        var stream = new SslStream(_stream, leaveInnerStreamOpen: false);
        SmtpReply? problem = null;
        Volatile.Write(ref _deadline, _clock.After(_options.EhloTimeout));
        try
        {
            await stream.AuthenticateAsClientAsync(
                new SslClientAuthenticationOptions
                {
                    TargetHost = tls.ServerName,
                    EnabledSslProtocols = tls.Protocols,
                    CipherSuitesPolicy = tls.Ciphers,
                    AllowRenegotiation = false,
                    ClientCertificateContext = tls.ClientCertificate,
                    CertificateChainPolicy = TlsChecks.ChainPolicy(tls.TrustedRoots),
                    RemoteCertificateValidationCallback = (_, certificate, _, errors) =>
                    {
                        problem = Judge(tls, certificate as X509Certificate2, errors);
                        return problem is null || tls.Verify is TlsVerify.None or TlsVerify.Optional;
                    },
                },
                _abort.Token);
        }
        catch (Exception fault) when (fault is AuthenticationException || IsConnectionFault(fault))
        {
            IsUsable = false;
            if (!_timedOut)
                _caller.ThrowIfCancellationRequested();
            await stream.DisposeAsync();
            return problem ?? InternalReplies.TlsFailed(_timedOut ? "timed out" : (fault.InnerException ?? fault).Message);
        }
        finally
        {
            Volatile.Write(ref _deadline, long.MaxValue);
        }

        _stream = stream;
        Tls = new(
            stream.SslProtocol, stream.NegotiatedCipherSuite, stream.RemoteCertificate as X509Certificate2,
            problem is null && tls.Verify != TlsVerify.None, problem?.Text ?? "");
        return null;
    }

    /// <returns>What is wrong with the certificate, or <see langword="null"/>.</returns>
    private static SmtpReply? Judge(SmtpClientTls tls, X509Certificate2? certificate, SslPolicyErrors errors)
    {
        if (tls.Verify == TlsVerify.None)
            return null;
        if (certificate is null || TlsChecks.Describe(errors).Length > 0)
            return InternalReplies.CertificateUntrusted;
        if (tls.Verify == TlsVerify.Ca || certificate.MatchesHostname(tls.ServerName.TrimEnd('.'), allowCommonName: false))
            return null;
        foreach (var name in tls.OtherNames)
            if (certificate.MatchesHostname(name.TrimEnd('.'), allowCommonName: false))
                return null;
        return InternalReplies.CertificateNameMismatch;
    }
}
