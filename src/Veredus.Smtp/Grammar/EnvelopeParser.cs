using System.Buffers.Text;
using System.Text;
using System.Text.Unicode;

namespace Veredus.Smtp;

/// <summary>MAIL and RCPT with their parameters. Pure: a line in, a command or the reply that refuses it out.</summary>
internal static class EnvelopeParser
{
    private static readonly SmtpReply NeedsUtf8 = new(553, new(5, 6, 7), "An address that isn't ASCII needs SMTPUTF8");

    /// <param name="argument">The line behind "MAIL ".</param>
    public static SmtpReply? ReadMail(ReadOnlySpan<byte> argument, SmtpServerOptions options, out MailCommand mail)
    {
        mail = null!;
        var rules = AddressRules.Null | Rules(options) | (options.AllowUnqualifiedSender ? AddressRules.Unqualified : 0);
        if (!TryTakePath(ref argument, "FROM:"u8, rules, options, out var sender))
            return SmtpReplies.BadMailSyntax;
        long size = -1;
        var (body, utf8, dsnReturn) = (BodyType.Unspecified, false, DsnReturn.Unspecified);
        string? envelopeId = null, auth = null;
        while (!argument.IsEmpty)
        {
            if (!TryTakeParameter(ref argument, out var keyword, out var value))
                return SmtpReplies.BadMailSyntax;
            if (Is(keyword, "SIZE"u8) && Offers(options, SmtpExtensions.Size))
            {
                if (size >= 0 || !TryReadSize(value, out size))
                    return SmtpReplies.BadParameter;
            }
            else if (Is(keyword, "BODY"u8) && Offers(options, SmtpExtensions.EightBitMime))
            {
                if (body != BodyType.Unspecified)
                    return SmtpReplies.BadParameter;
                body = Is(value, "7BIT"u8) ? BodyType.SevenBit : Is(value, "8BITMIME"u8) ? BodyType.EightBitMime : BodyType.Unspecified;
                if (body == BodyType.Unspecified)
                    return SmtpReplies.BadParameter;
            }
            else if (Is(keyword, "SMTPUTF8"u8) && Offers(options, SmtpExtensions.SmtpUtf8))
            {
                if (utf8 || !value.IsEmpty)
                    return SmtpReplies.BadParameter;
                utf8 = true;
            }
            else if (Is(keyword, "RET"u8) && Offers(options, SmtpExtensions.Dsn))
            {
                if (dsnReturn != DsnReturn.Unspecified)
                    return SmtpReplies.BadParameter;
                dsnReturn = Is(value, "FULL"u8) ? DsnReturn.Full : Is(value, "HDRS"u8) ? DsnReturn.Headers : DsnReturn.Unspecified;
                if (dsnReturn == DsnReturn.Unspecified)
                    return SmtpReplies.BadParameter;
            }
            else if (Is(keyword, "ENVID"u8) && Offers(options, SmtpExtensions.Dsn))
            {
                if (envelopeId is not null || value.Length is 0 or > 100 || !Xtext.IsValid(value))
                    return SmtpReplies.BadParameter;
                envelopeId = Encoding.ASCII.GetString(value);
            }
            else if (Is(keyword, "AUTH"u8) && options.AuthMechanisms != AuthMechanisms.None)
            {
                if (auth is not null || value.Length is 0 or > 500 || !Xtext.IsValid(value))
                    return SmtpReplies.BadParameter;
                auth = Encoding.ASCII.GetString(value);
            }
            else
            {
                return SmtpReplies.UnknownParameter;
            }
        }

        if (!utf8 && !Ascii.IsValid(sender.Value))
            return NeedsUtf8;
        mail = new(sender) { Size = size, Body = body, SmtpUtf8 = utf8, Return = dsnReturn, EnvelopeId = envelopeId, Auth = auth };
        return null;
    }

    /// <param name="argument">The line behind "RCPT ".</param>
    /// <param name="utf8">MAIL had SMTPUTF8.</param>
    public static SmtpReply? ReadRcpt(ReadOnlySpan<byte> argument, SmtpServerOptions options, bool utf8, out RcptCommand rcpt)
    {
        rcpt = null!;
        var rules = Rules(options) | (options.AllowUnqualifiedRecipient ? AddressRules.Unqualified : 0);
        if (!TryTakePath(ref argument, "TO:"u8, rules, options, out var recipient))
            return SmtpReplies.BadRcptSyntax;
        var notify = DsnNotify.Unspecified;
        string? original = null;
        while (!argument.IsEmpty)
        {
            if (!TryTakeParameter(ref argument, out var keyword, out var value))
                return SmtpReplies.BadRcptSyntax;
            if (Is(keyword, "NOTIFY"u8) && Offers(options, SmtpExtensions.Dsn))
            {
                if (notify != DsnNotify.Unspecified || !TryReadNotify(value, out notify))
                    return SmtpReplies.BadParameter;
            }
            else if (Is(keyword, "ORCPT"u8) && Offers(options, SmtpExtensions.Dsn))
            {
                if (original is not null || !IsOriginalRecipient(value, utf8))
                    return SmtpReplies.BadParameter;
                original = Encoding.UTF8.GetString(value);
            }
            else
            {
                return SmtpReplies.UnknownParameter;
            }
        }

        if (!utf8 && !Ascii.IsValid(recipient.Value))
            return NeedsUtf8;
        rcpt = new(recipient) { Notify = notify, OriginalRecipient = original };
        return null;
    }

    /// <summary>A decimal number of up to 20 digits (RFC 1870 §5); what doesn't fit counts as the largest.</summary>
    public static bool TryReadSize(ReadOnlySpan<byte> value, out long size)
    {
        size = -1;
        if (value.Length is 0 or > 20 || value.ContainsAnyExceptInRange((byte)'0', (byte)'9'))
            return false;
        if (!Utf8Parser.TryParse(value, out size, out _))
            size = long.MaxValue;
        return true;
    }

    private static bool Is(ReadOnlySpan<byte> text, ReadOnlySpan<byte> word) => Ascii.EqualsIgnoreCase(text, word);

    private static bool Offers(SmtpServerOptions options, SmtpExtensions extension) => (options.Extensions & extension) != 0;

    private static AddressRules Rules(SmtpServerOptions options) => options.PedanticAddresses ? AddressRules.None : AddressRules.Relaxed;

    /// <summary>Takes "FROM:" or "TO:" and the path, and checks what stands between it and the parameters.</summary>
    private static bool TryTakePath(
        ref ReadOnlySpan<byte> argument, ReadOnlySpan<byte> prefix, AddressRules rules, SmtpServerOptions options, out EnvelopeAddress address)
    {
        address = default;
        if (argument.Length < prefix.Length || !Is(argument[..prefix.Length], prefix))
            return false;
        argument = argument[prefix.Length..];
        if (options.AllowWhitespaceInEnvelope)
            argument = argument.Trim((byte)' ');
        return AddressGrammar.TryTakePath(ref argument, rules, out address) && (argument.IsEmpty || argument[0] == ' ');
    }

    /// <summary>Takes one blank and <c>keyword[=value]</c> off the front (RFC 5321 §4.1.2, esmtp-param).</summary>
    private static bool TryTakeParameter(ref ReadOnlySpan<byte> text, out ReadOnlySpan<byte> keyword, out ReadOnlySpan<byte> value)
    {
        text = text.TrimStart((byte)' ');
        var end = text.IndexOf((byte)' ');
        var parameter = end < 0 ? text : text[..end];
        text = end < 0 ? default : text[end..];
        var equals = parameter.IndexOf((byte)'=');
        keyword = equals < 0 ? parameter : parameter[..equals];
        value = equals < 0 ? default : parameter[(equals + 1)..];
        return !keyword.IsEmpty && (equals < 0 || !value.IsEmpty) && Utf8.IsValid(value);
    }

    private static bool TryReadNotify(ReadOnlySpan<byte> value, out DsnNotify notify)
    {
        notify = DsnNotify.Unspecified;
        foreach (var range in value.Split((byte)','))
        {
            var word = value[range];
            var one = Is(word, "NEVER"u8) ? DsnNotify.Never : Is(word, "SUCCESS"u8) ? DsnNotify.Success
                : Is(word, "FAILURE"u8) ? DsnNotify.Failure : Is(word, "DELAY"u8) ? DsnNotify.Delay : DsnNotify.Unspecified;
            if (one == DsnNotify.Unspecified)
                return false;
            notify |= one;
        }

        // NEVER stands alone (RFC 3461 §4.1).
        return (notify & DsnNotify.Never) == 0 || notify == DsnNotify.Never;
    }

    /// <summary>address type ";" xtext (RFC 3461 §4.2); with SMTPUTF8 the address may be UTF-8 (RFC 6533 §3).</summary>
    private static bool IsOriginalRecipient(ReadOnlySpan<byte> value, bool utf8)
    {
        var separator = value.IndexOf((byte)';');
        if (separator <= 0 || value.Length is > 500 || separator + 1 == value.Length)
            return false;
        var address = value[(separator + 1)..];
        return !value[..separator].ContainsAnyExcept(TypeOctets)
            && (Xtext.IsValid(address) || (utf8 && !Ascii.IsValid(address) && !address.ContainsAnyInRange((byte)0, (byte)' ')));
    }

    private static readonly System.Buffers.SearchValues<byte> TypeOctets = System.Buffers.SearchValues.Create(
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-"u8);
}
