using System.Text;

namespace Veredus.Smtp;

/// <summary>AUTH (RFC 4954).</summary>
public sealed partial class SmtpServerSession
{
    private static readonly UTF8Encoding StrictUtf8 = new(false, throwOnInvalidBytes: true);

    /// <param name="argument">Mechanism, and perhaps an initial response.</param>
    private async ValueTask AuthAsync(string argument)
    {
        State = SessionState.EsmtpSetupPhase;
        var blank = argument.IndexOf(' ', StringComparison.Ordinal);
        var name = blank < 0 ? argument : argument[..blank];
        var initial = blank < 0 ? null : argument[(blank + 1)..];
        var mechanism = name.ToUpperInvariant() switch
        {
            "PLAIN" => AuthMechanisms.Plain,
            "LOGIN" => AuthMechanisms.Login,
            "SCRAM-SHA-256" => AuthMechanisms.ScramSha256,
            _ => AuthMechanisms.None,
        } & Options.AuthMechanisms;
        if (AuthenticatedUser is not null)
            Bad(SmtpReplies.BadSequence);
        else if (mechanism == AuthMechanisms.None)
            Bad(SmtpReplies.UnknownMechanism);
        else if ((mechanism & OfferedMechanisms) == 0)
            Reply(SmtpReplies.EncryptionRequired);
        else if (mechanism == AuthMechanisms.Plain)
            await AuthPlainAsync(initial);
        else if (mechanism == AuthMechanisms.Login)
            await AuthLoginAsync(initial);
        else
            await AuthScramAsync(initial);
    }

    private async ValueTask AuthPlainAsync(string? initial)
    {
        if (await AskAsync("", initial) is not { } response)
            return;
        // authzid NUL authcid NUL password (RFC 4616 §2)
        var parts = response.Split('\0');
        if (parts.Length != 3 || parts[1].Length == 0)
            Bad(SmtpReplies.BadBase64);
        else
            await CheckPasswordAsync(new(AuthMechanisms.Plain, parts[0], parts[1], parts[2]));
    }

    private async ValueTask AuthLoginAsync(string? initial)
    {
        if (await AskAsync("Username:", initial) is { } user && await AskAsync("Password:", null) is { } password)
            await CheckPasswordAsync(new(AuthMechanisms.Login, "", user, password));
    }

    private async ValueTask CheckPasswordAsync(PasswordCredentials credentials) =>
        EndAuth(credentials.Mechanism, credentials.User, await _handler.AuthenticateAsync(this, credentials, _aborted));

    private async ValueTask AuthScramAsync(string? initial)
    {
        if (await _handler.BeginScramAsync(this, _aborted) is not { } exchange)
        {
            EndAuth(AuthMechanisms.ScramSha256, "", AuthResult.Error);
            return;
        }

        var response = await AskAsync("", initial);
        while (response is not null)
        {
            var step = await exchange.NextAsync(response, _aborted);
            if (step.Result is { } result)
            {
                // The server's proof travels as one more challenge; the client answers it with nothing (RFC 4954 §4).
                if (result != AuthResult.Pass || step.Message is null || await AskAsync(step.Message, null) is not null)
                    EndAuth(AuthMechanisms.ScramSha256, exchange.User, result);
                return;
            }

            response = await AskAsync(step.Message ?? "", null);
        }
    }

    private void EndAuth(AuthMechanisms mechanism, string user, AuthResult result)
    {
        if (result == AuthResult.Pass)
            (AuthenticatedUser, AuthenticatedBy) = (user, mechanism);
        else if (result == AuthResult.Fail)
            FailedAuthentications++;
        _handler.AuthenticationEnded(this, mechanism, user, result);
        Reply(result switch
        {
            AuthResult.Pass => SmtpReplies.Authenticated,
            AuthResult.Error => SmtpReplies.TemporaryAuthFailure,
            _ => FailedAuthentications >= Options.MaxFailedAuthentications ? SmtpReplies.TooManyAuthFailures : SmtpReplies.BadCredentials,
        });
    }

    /// <summary>Sends a challenge and decodes the answer.</summary>
    /// <param name="initial">The answer that came with AUTH already ("=" stands for an empty one).</param>
    /// <returns><see langword="null"/>: cancelled, ill-formed (answered) or the connection ended.</returns>
    private async ValueTask<string?> AskAsync(string challenge, string? initial)
    {
        var response = initial == "=" ? "" : initial;
        if (response is null)
        {
            WriteLine("334 " + Convert.ToBase64String(Encoding.UTF8.GetBytes(challenge)));
            response = await ReadTextAsync();
        }

        if (response is null)
            return null;
        if (response == "*")
        {
            Reply(SmtpReplies.AuthCancelled);
            return null;
        }

        try
        {
            return StrictUtf8.GetString(Convert.FromBase64String(response));
        }
        catch (Exception fault) when (fault is FormatException or DecoderFallbackException)
        {
            Bad(SmtpReplies.BadBase64);
            return null;
        }
    }

    private async ValueTask<string?> ReadTextAsync()
    {
        while (true)
        {
            switch (TryTakeLine(out var line, MaxAuthLine))
            {
                case LineRead.NeedMore:
                    if (!await FillAsync(wholeLine: true))
                        return null;
                    break;
                case LineRead.Complete:
                    return Encoding.Latin1.GetString(line);
                case LineRead.Bad:
                    Bad(SmtpReplies.BadLineEnd);
                    return null;
                default:
                    Bad(SmtpReplies.LineTooLong);
                    return null;
            }
        }
    }
}
