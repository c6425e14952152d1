using System.CommandLine;
using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;
using Veredus.CommandLine;
using Veredus.Control.Commands;
using Veredus.Delivery;
using Veredus.Output;
using Veredus.Smtp;
using Veredus.Spool;
using ConfigurationOptions = Veredus.Configuration.Options;

namespace Veredus.Commands;

/// <summary><c>message list --spool</c>, classic <c>ec_show</c> (mta.md 10): reads a spool on the disk, whether or not its node runs.</summary>
internal static class SpoolList
{
    /// <summary>Most octets of a message that are shown.</summary>
    private const int MaxBodyBytes = 16 * 1024 * 1024;

    private static readonly Option<string?> Spool = new("--spool")
    {
        Description = "Read this spool from the disk, without its node; without DIR the spoolbase of the configuration", HelpName = "DIR", Arity = ArgumentArity.ZeroOrOne,
    };

    private static readonly Option<string?> File = new("-c", "--config") { Description = "With --spool: configuration to take spoolbase and retry times from", HelpName = "FILE" };
    private static readonly Option<bool> Summary = new("-s", "--lines") { Description = "With --spool: one line a message (the default)" };
    private static readonly Option<bool> Count = new("-n", "--count") { Description = "With --spool: only how many messages there are" };
    private static readonly Option<string?> Message = new("-m", "--message") { Description = "With --spool: all of this message, its text included", HelpName = "ID" };
    private static readonly Option<string?> Sender = new("--sender") { Description = "With --spool: only these senders", HelpName = "REGEX" };
    private static readonly Option<string?> Recipient = new("--recipient") { Description = "With --spool: only these recipients", HelpName = "REGEX" };
    private static readonly Option<string?> Start = new("--start-date", "--start_date") { Description = "With --spool: received then or later (UTC unless it says otherwise)", HelpName = "DATE" };
    private static readonly Option<string?> End = new("--end-date", "--end_date") { Description = "With --spool: received before; a day without a time is included", HelpName = "DATE" };

    public static IReadOnlyList<Option> Options => [Spool, File, Summary, Count, Message, Sender, Recipient, Start, End];

    /// <param name="NextAttempt">An estimate: a crash may forget the last tries.</param>
    internal sealed record Line(
        string Id, long Created, string Group, string Binding, string Domain, string Sender, string Recipient, long Size, int Retries, DateTimeOffset NextAttempt);

    /// <exception cref="CliException">An option that only makes sense with <c>--spool</c>.</exception>
    public static bool IsWanted(Call call)
    {
        if (IsGiven(call, Spool))
            return true;
        return Options.FirstOrDefault(option => IsGiven(call, option)) is not { } option ? false
            : throw new CliException(ExitCodes.Usage, $"{option.Name} reads a spool from the disk.", "Add --spool, or --spool DIR.");
    }

    public static int Run(Call call, string? binding, string? domain)
    {
        var (directory, policies) = Place(call);
        var filter = Filter.From(call, binding, domain);
        try
        {
            using var reader = new SpoolReader(directory);
            if (call.Parse.GetValue(Message) is { } id)
                return Show(call, reader, policies, id);
            var limit = call.Parse.GetValue(GlobalOptions.All) ? int.MaxValue : call.Parse.GetValue(GlobalOptions.Limit);
            var (lines, total) = (new List<Line>(), 0L);
            foreach (var found in reader.Messages())
            {
                var line = LineOf(call, found, policies);
                if (!filter.Matches(line))
                    continue;
                total++;
                if (lines.Count < limit && !call.Parse.GetValue(Count))
                    lines.Add(line);
            }
            Print(call, lines, total, reader.Damaged);
            return reader.Damaged == 0 ? ExitCodes.Done : Damaged(call, reader.Damaged);
        }
        catch (InvalidOperationException)
        {
            throw new CliException(ExitCodes.Failed, $"The spool '{directory}' changed while it was read.", "Its node runs: call again, or ask the node (without --spool).");
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw new CliException(ExitCodes.Failed, exception.Message);
        }
    }

    private static void Print(Call call, List<Line> lines, long total, long damaged)
    {
        var (format, header) = (call.Parse.GetValue(GlobalOptions.Format), !call.Parse.GetValue(GlobalOptions.NoHeader));
        if (call.IsJson && call.Parse.GetValue(Count))
            call.Json("veredus.message.count/1", "", ConsoleJson.Serialize(new ActionCount(total)));
        else if (call.IsJson)
            call.Json("veredus.message.spool/1", "", StatusJson.Serialize(new SpoolData(lines, total, damaged)));
        else if (call.Parse.GetValue(Count))
            call.Out.Line(total.ToString(CultureInfo.InvariantCulture));
        else if (format == "names")
            lines.ForEach(line => call.Out.Line(line.Id));
        else if (format is not null)
            Table(lines, call.Now).PrintSeparated(call.Out, format == "csv" ? ',' : '\t', header);
        else if (lines.Count == 0)
            call.Out.Line(total == 0 ? "no such message in the spool" : $"0 of {Human.Count(total)} shown");
        else
            Table(lines, call.Now).Print(call.Out, header);
        if (!call.IsJson && format is null && lines.Count > 0 && lines.Count < total)
            call.Out.Line($"{lines.Count} of {Human.Count(total)} shown; --all for the rest", Tone.Dim);
    }

    private static Table Table(List<Line> lines, DateTimeOffset now)
    {
        var table = new Table(new("ID"), new("BINDING"), new("AGE", true), new("RETRIES", true), new("NEXT"), new("SIZE", true), new("SENDER"), new("RECIPIENT"));
        foreach (var line in lines)
        {
            table.Add(
                line.Id, line.Binding, Human.Age(now - DateTimeOffset.FromUnixTimeSeconds(line.Created)), line.Retries.ToString(CultureInfo.InvariantCulture),
                line.NextAttempt <= now ? "due" : Human.Age(line.NextAttempt - now), line.Size.ToString(CultureInfo.InvariantCulture), $"<{line.Sender}>", $"<{line.Recipient}>");
        }
        return table;
    }

    private static int Show(Call call, SpoolReader reader, ConfiguredPolicies? policies, string text)
    {
        if (!MessageId.TryParse(text, out var id))
            throw new CliException(ExitCodes.Usage, $"'{text}' is not a message ID.", "An ID looks like 10/00-00007-08B31BA6.");
        foreach (var found in reader.Messages())
        {
            if (found.Message.Id != id)
                continue;
            var (line, envelope) = (LineOf(call, found, policies), found.Envelope);
            var details = new MessageDetails
            {
                Id = line.Id,
                Type = "spool",
                Created = envelope.Received,
                NextAttempt = line.NextAttempt,
                Retries = line.Retries,
                Protocol = envelope.Protocol,
                ReceivedVia = envelope.ReceivedFrom?.ToString() ?? "",
                Sender = envelope.Sender,
                Recipient = envelope.Recipient,
                Code = found.Message.LastAttempt is { Code: > 0 } last ? last.Code.ToString(CultureInfo.InvariantCulture) : "",
                Size = line.Size,
                Group = line.Group,
                Binding = line.Binding,
                Domain = line.Domain,
                BatchId = envelope.BatchId.ToString(),
                ConnectionId = envelope.ConnectionId.Value == 0 ? "" : envelope.ConnectionId.ToString(),
                ConnectionContext = envelope.ConnectionContext,
                MessageContext = envelope.MessageContext,
                Body = Body(reader, found.Message),
            };
            if (call.IsJson)
            {
                call.Json("veredus.message/1", "", ConsoleJson.Serialize(details));
                return ExitCodes.Done;
            }
            foreach (var shown in Layouts.Message(details).Append("").Concat(details.Body.ReplaceLineEndings("\n").Split('\n')))
                call.Out.Line(shown);
            return ExitCodes.Done;
        }
        if (reader.Damaged > 0)
            Damaged(call, reader.Damaged);
        throw new CliException(ExitCodes.NotFound, $"There is no message {id} in the spool.");
    }

    private static string Body(SpoolReader reader, StoredMessage message)
    {
        using var body = reader.OpenBody(message);
        var bytes = new byte[Math.Min(body.Length, MaxBodyBytes)];
        var count = body.Read(bytes);
        return Encoding.UTF8.GetString(bytes, 0, count) + (body.Length > MaxBodyBytes ? $"\n[{body.Length - MaxBodyBytes} octets more]" : "");
    }

    private static Line LineOf(Call call, in RecoveredMessage found, ConfiguredPolicies? policies)
    {
        var (message, envelope) = found;
        var recipient = new EnvelopeAddress(envelope.Recipient).Domain.ToString().ToLowerInvariant();
        var domain = envelope.RoutingOverride is { Length: > 0 } chosen ? chosen
            : policies?.Gateway(envelope.BindingGroup, envelope.Binding, recipient) is { Length: > 0 } gateway ? gateway : recipient;
        return new(
            message.Id.ToString(), envelope.Received.ToUnixTimeSeconds(), envelope.BindingGroup, envelope.Binding, domain,
            envelope.Sender, envelope.Recipient, message.Size, message.Attempts, NextAttempt());

        // As the node reckons when it starts: never tried is due at once (mta.md 4).
        DateTimeOffset NextAttempt()
        {
            if (message.LastAttempt is not { } last)
                return envelope.Received;
            var retry = policies?.Sending(envelope.BindingGroup, envelope.Binding, domain).Retry ?? RetryPolicy.Default;
            var verdict = RetrySchedule.Next(retry, message.Attempts, envelope.Received.ToUnixTimeMilliseconds(), last.Time.ToUnixTimeMilliseconds(), envelope.BatchId.Value);
            return verdict.Failure is null ? DateTimeOffset.FromUnixTimeMilliseconds(verdict.AtUnixMs) : call.Now;
        }
    }

    /// <summary>The spool's directory, and the options behind retry times where a configuration is at hand.</summary>
    private static (string Directory, ConfiguredPolicies? Policies) Place(Call call)
    {
        var (directory, file) = (call.Parse.GetValue(Spool), call.Parse.GetValue(File) ?? call.Host.Environment("VEREDUS_CONFFILE"));
        if (directory is not null && file is null)
            return (directory, null);
        var loader = ConfigCommand.Loader(call.Host);
        if ((file is null ? loader.LocateNodeFile() : loader.Locate(file)) is not { } main)
            throw new CliException(ExitCodes.Usage, file is null ? "No configuration found." : $"There is no configuration {file}.", "Name the spool with --spool DIR, or a configuration with -c FILE.");
        var loaded = loader.Load(main);
        if (loaded.Snapshot is not { } snapshot)
        {
            foreach (var finding in loaded.Diagnostics.Where(finding => finding.IsError))
                call.Error.Line(finding.ToString());
            throw new CliException(ExitCodes.Failed, $"The configuration {main} cannot be used.", "Name the spool with --spool DIR.");
        }
        return (directory ?? snapshot.Global.Get(ConfigurationOptions.Spoolbase), new(snapshot, ""));
    }

    private static int Damaged(Call call, long places)
    {
        call.Error.Line($"!  {places} damaged places in the spool were left out; the node sets them aside in corrupt/ when it starts", Tone.Warning);
        return ExitCodes.Partly;
    }

    private static bool IsGiven(Call call, Option option) => call.Parse.GetResult(option) is { Implicit: false };

    /// <summary>Which messages are wanted.</summary>
    private sealed record Filter(Regex? Sender, Regex? Recipient, DateTimeOffset Start, DateTimeOffset End, string? Binding, string? Domain)
    {
        public static Filter From(Call call, string? binding, string? domain) => new(
            Pattern(call, SpoolList.Sender), Pattern(call, SpoolList.Recipient), Date(call, SpoolList.Start, isEnd: false) ?? DateTimeOffset.MinValue,
            Date(call, SpoolList.End, isEnd: true) ?? DateTimeOffset.MaxValue, binding, domain);

        public bool Matches(Line line)
        {
            var created = DateTimeOffset.FromUnixTimeSeconds(line.Created);
            return created >= Start && created < End && Sender?.IsMatch(line.Sender) != false && Recipient?.IsMatch(line.Recipient) != false
                && (Binding is null || Binding == line.Binding) && (Domain is null || Domain.Equals(line.Domain, StringComparison.OrdinalIgnoreCase));
        }

        private static Regex? Pattern(Call call, Option<string?> option)
        {
            if (call.Parse.GetValue(option) is not { } text)
                return null;
            try
            {
                return new(text, RegexOptions.NonBacktracking | RegexOptions.IgnoreCase | RegexOptions.CultureInvariant);
            }
            catch (Exception exception) when (exception is ArgumentException or NotSupportedException)
            {
                throw new CliException(ExitCodes.Usage, $"{option.Name}: {exception.Message}");
            }
        }

        private static DateTimeOffset? Date(Call call, Option<string?> option, bool isEnd)
        {
            if (call.Parse.GetValue(option) is not { } text)
                return null;
            if (long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var seconds) && seconds <= DateTimeOffset.MaxValue.ToUnixTimeSeconds())
                return DateTimeOffset.FromUnixTimeSeconds(seconds);
            if (DateOnly.TryParseExact(text, "yyyy-MM-dd", CultureInfo.InvariantCulture, DateTimeStyles.None, out var day))
                return new(day.AddDays(isEnd && day < DateOnly.MaxValue ? 1 : 0), TimeOnly.MinValue, TimeSpan.Zero);
            return DateTimeOffset.TryParse(text, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out var time) ? time
                : throw new CliException(ExitCodes.Usage, $"{option.Name}: '{text}' is not a date.", "Write 2026-11-22, 2026-11-22T10:00:00Z or Unix seconds.");
        }
    }
}
