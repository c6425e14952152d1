using System.IO.Pipelines;
using System.Net.Security;
using System.Security.Authentication;
using System.Security.Cryptography.X509Certificates;

namespace Veredus.Smtp;

/// <summary>STARTTLS (RFC 3207) and implicit TLS.</summary>
public sealed partial class SmtpServerSession
{
    private SslStream? _tlsStream;

    private async ValueTask StartTlsAsync()
    {
        if (Tls is not null)
        {
            Bad(SmtpReplies.BadSequence);
            return;
        }

        if (!OffersStartTls)
        {
            Reply(SmtpReplies.TlsNotAvailable);
            return;
        }

        // Plain text behind STARTTLS may be an attacker's, put there to be run inside TLS.
        if (HasInput || TryPeek())
        {
            if (Options.StartTlsInjection == StartTlsInjectionPolicy.Reject)
            {
                Reply(SmtpReplies.InputAfterStartTls);
                _end = SmtpSessionEnd.Refused;
                return;
            }

            (_buffer, _examined) = (_buffer.Slice(_buffer.End), 0);
        }

        State = SessionState.EsmtpSetupPhase;
        Reply(SmtpReplies.ReadyForTls);
        if (!await FlushAsync() || !await HandshakeAsync())
            return;
        // What was said before is forgotten (RFC 3207 §4.2).
        (HelloVerb, HelloName, _phase, AuthenticatedUser, AuthenticatedBy) = (HelloVerb.None, "", SmtpPhase.Connected, null, AuthMechanisms.None);
    }

    private async ValueTask<bool> HandshakeAsync()
    {
        if (Options.Tls is not { } tls)
            throw new InvalidOperationException("Implicit TLS needs SmtpServerOptions.Tls.");
        ReleaseInput();
        var stream = new SslStream(new DuplexPipeStream(_transport.Input, _transport.Output), leaveInnerStreamOpen: true);
        using var timeout = new CancellationTokenSource(Options.TlsHandshakeTimeout, _sessions.Clock.Time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(timeout.Token, _aborted);
        var problem = "";
        try
        {
            await stream.AuthenticateAsServerAsync(
                new SslServerAuthenticationOptions
                {
                    ServerCertificateContext = tls.Certificate,
                    EnabledSslProtocols = tls.Protocols,
                    CipherSuitesPolicy = tls.Ciphers,
                    AllowRenegotiation = false,
                    ClientCertificateRequired = tls.ClientCertificates != ClientCertificates.Ignore,
                    CertificateChainPolicy = TlsChecks.ChainPolicy(tls.ClientRoots),
                    RemoteCertificateValidationCallback = tls.ClientCertificates == ClientCertificates.Ignore ? null : (_, certificate, _, errors) =>
                    {
                        problem = certificate is null ? "no certificate sent" : TlsChecks.Describe(errors);
                        return tls.ClientCertificates != ClientCertificates.Require || problem.Length == 0;
                    },
                },
                either.Token);
        }
        catch (Exception fault) when (fault is AuthenticationException or OperationCanceledException || IsConnectionFault(fault))
        {
            await stream.DisposeAsync();
            _end = SmtpSessionEnd.TlsFailed;
            return false;
        }

        _tlsStream = stream;
        (_input, _output) = (PipeReader.Create(stream, TlsReader), PipeWriter.Create(stream, TlsWriter));
        var peer = stream.RemoteCertificate as X509Certificate2;
        Tls = new(stream.SslProtocol, stream.NegotiatedCipherSuite, peer, peer is not null && problem.Length == 0, peer is null ? "" : problem);
        return true;
    }

    private static readonly StreamPipeReaderOptions TlsReader = new(bufferSize: 16 * 1024, minimumReadSize: 4096, leaveOpen: true);
    private static readonly StreamPipeWriterOptions TlsWriter = new(minimumBufferSize: 4096, leaveOpen: true);

    private async ValueTask CloseTlsAsync()
    {
        if (_tlsStream is not { } stream)
        {
            ReleaseInput();
            return;
        }

        try
        {
            await _input.CompleteAsync();
            if (_end is not (SmtpSessionEnd.Stalled or SmtpSessionEnd.Disconnected))
            {
                await _output.CompleteAsync();
                await stream.ShutdownAsync();
            }
            else
            {
                await _output.CompleteAsync(new IOException("The connection is lost."));  // don't flush
            }
        }
        catch (Exception fault) when (IsConnectionFault(fault) || fault is InvalidOperationException)
        {
            // close_notify is a courtesy; the client is gone.
        }

        await stream.DisposeAsync();
    }
}
