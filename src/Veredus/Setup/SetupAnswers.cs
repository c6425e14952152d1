using Veredus.CommandLine;
using Veredus.Output;

namespace Veredus.Setup;

/// <summary>Answers to setup's questions: from options, a file of <c>question = answer</c> lines, a person, or the default, in this order.</summary>
internal sealed class SetupAnswers(Call call, IReadOnlyDictionary<string, string> given, bool asks)
{
    /// <summary>Reads <c>--answers FILE</c>; <see langword="null"/>: no file.</summary>
    /// <exception cref="CliException">A line that is no answer, or one to no question.</exception>
    public static async Task<Dictionary<string, string>> ReadAsync(string? file, IReadOnlyList<string> questions, CancellationToken cancellationToken)
    {
        var answers = new Dictionary<string, string>(StringComparer.Ordinal);
        if (file is null)
            return answers;
        string[] lines;
        try
        {
            lines = await File.ReadAllLinesAsync(file, cancellationToken);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw new CliException(ExitCodes.Usage, $"The answers can't be read: {exception.Message}");
        }
        foreach (var (line, number) in lines.Select((line, i) => (line.Trim(), i + 1)).Where(pair => pair.Item1.Length > 0 && pair.Item1[0] != '#'))
        {
            var at = line.IndexOf('=', StringComparison.Ordinal);
            var question = at < 0 ? line : line[..at].Trim();
            if (at < 0 || !questions.Contains(question))
                throw new CliException(ExitCodes.Usage, $"{file}:{number}: '{question}' is no question.", $"One 'question = answer' in a line; questions: {string.Join(' ', questions)}");
            answers[question] = line[(at + 1)..].Trim();
        }
        return answers;
    }

    /// <param name="check">Returns what is wrong with an answer; empty if nothing is.</param>
    /// <exception cref="CliException">A given answer is wrong.</exception>
    public async Task<string> GetAsync(string question, string text, string standard, Func<string, string> check, CancellationToken cancellationToken)
    {
        if (given.TryGetValue(question, out var answer))
            return check(answer) is { Length: > 0 } wrong ? throw new CliException(ExitCodes.Usage, $"{question} = {answer}: {wrong}") : answer;
        while (asks)
        {
            call.Error.Write($"{text}{(standard.Length > 0 ? $" [{standard}]" : "")}: ", Tone.Strong);
            // The terminal's read can't be interrupted; Ctrl-C ends the command all the same, and nothing has been written yet.
            var line = await Task.Run(call.Host.In.ReadLine, CancellationToken.None).WaitAsync(cancellationToken)
                ?? throw new CliException(ExitCodes.NotConfirmed, "No answer; nothing was changed.");
            answer = line.Trim() is { Length: > 0 } typed ? typed : standard;
            if (check(answer) is not { Length: > 0 } problem)
                return answer;
            call.Error.Line($"  {problem}", Tone.Warning);
        }
        return check(standard) is { Length: > 0 } bad ? throw new CliException(ExitCodes.Usage, $"{question}: {bad}", $"Give --{question}.") : standard;
    }
}
