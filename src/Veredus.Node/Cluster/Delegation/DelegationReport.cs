using System.Globalization;
using System.Text;
using System.Text.Json;
using Veredus.Cluster;
using Veredus.Control;

namespace Veredus.Node;

/// <summary>One node's answer and how long it took.</summary>
public sealed record TimedAnswer(NodeAnswer Answer, TimeSpan Took);

/// <summary>The answers to one delegated command as a person or a program reads them: the same ones folded, the missing ones named.</summary>
/// <param name="command">What was asked.</param>
/// <param name="waited">How long answers were awaited.</param>
public sealed class DelegationReport(string command, TimeSpan waited, IReadOnlyList<TimedAnswer> answers)
{
    private readonly List<TimedAnswer> _answered = [.. answers.Where(one => one.Answer.State is AnswerState.Answered).OrderBy(one => one.Answer.Node, StringComparer.Ordinal)];

    /// <summary>Nodes whose answer is not here, in each state, by name.</summary>
    public IReadOnlyList<string> Missing(AnswerState state) => [.. answers.Where(one => one.Answer.State == state).Select(one => one.Answer.Node).Order(StringComparer.Ordinal)];

    /// <summary>Whether every node meant has answered.</summary>
    public bool IsComplete => _answered.Count == answers.Count;

    /// <summary>The console's code for all together: 0 when all are well, one node's code when all have it, else <see cref="ControlErrors.Incomplete"/>.</summary>
    public int Code => answers.Count == 0 ? ControlErrors.NotFound
        : IsComplete && _answered.Select(one => one.Answer.Code).Distinct().ToList() is [var same] ? same
        : ControlErrors.Incomplete;

    /// <summary>One line for what is wrong; empty when nothing is.</summary>
    public string Problem
    {
        get
        {
            if (answers.Count == 0)
                return "there is no such node in the cluster; 'show cluster membership' lists who is there";
            var parts = new List<string>();
            if (Missing(AnswerState.Pending) is [_, ..] pending)
                parts.Add(string.Create(CultureInfo.InvariantCulture, $"no answer after {waited.TotalSeconds:0.###} s: {string.Join(' ', pending)} (fetch later: {Later(pending)})"));
            if (Missing(AnswerState.Left) is [_, ..] left)
                parts.Add($"left before the answer: {string.Join(' ', left)}");
            if (Missing(AnswerState.Absent) is [_, ..] absent)
                parts.Add($"not in the cluster: {string.Join(' ', absent)}");
            if (_answered.Where(one => one.Answer.Code != 0).ToList() is [_, ..] failed)
                parts.Add(answers.Count == 1 ? failed[0].Answer.Text : $"failed on {string.Join(' ', failed.Select(one => one.Answer.Node))}: {failed[0].Answer.Text}");
            return string.Join("; ", parts);
        }
    }

    /// <summary>The answers, each text once with the nodes that gave it; of a single node just its lines.</summary>
    public IEnumerable<string> Lines()
    {
        if (answers is [{ Answer: { State: AnswerState.Answered } only }])
        {
            foreach (var line in Show(only))
                yield return line;
            yield break;
        }
        foreach (var group in _answered.GroupBy(one => (one.Answer.Code, one.Answer.Text, Body: Convert.ToHexString(System.Security.Cryptography.SHA256.HashData(one.Answer.Body.Span)))))
        {
            var nodes = group.Select(one => one.Answer.Node).ToList();
            var took = string.Create(CultureInfo.InvariantCulture, $"{group.Max(one => one.Took).TotalMilliseconds:0} ms");
            yield return nodes.Count == 1 ? $"{nodes[0]}, {took}:" : $"{nodes.Count} nodes answered the same ({string.Join(' ', nodes)}), {took}:";
            foreach (var line in Show(group.First().Answer))
                yield return "  " + line;
        }
    }

    /// <summary>One document: the nodes with state, code, text and either their JSON answer as <c>data</c> or their <c>lines</c>.</summary>
    public string Json()
    {
        using var stream = new MemoryStream();
        using (var json = new Utf8JsonWriter(stream))
        {
            json.WriteStartObject();
            json.WriteString("command", command);
            json.WriteBoolean("complete", IsComplete);
            json.WriteStartArray("missing");
            foreach (var one in answers.Where(one => one.Answer.State is not AnswerState.Answered).OrderBy(one => one.Answer.Node, StringComparer.Ordinal))
                json.WriteStringValue(one.Answer.Node);
            json.WriteEndArray();
            json.WriteStartArray("nodes");
            foreach (var (answer, took) in answers.OrderBy(one => one.Answer.Node, StringComparer.Ordinal))
                Write(json, answer, took);
            json.WriteEndArray();
            json.WriteEndObject();
        }
        return Encoding.UTF8.GetString(stream.ToArray());
    }

    private static void Write(Utf8JsonWriter json, NodeAnswer answer, TimeSpan took)
    {
        json.WriteStartObject();
        json.WriteString("node", answer.Node);
        json.WriteString("state", answer.State.ToString().ToLowerInvariant());
        if (answer.State is AnswerState.Answered)
        {
            json.WriteNumber("code", answer.Code);
            json.WriteString("text", answer.Text);
            json.WriteNumber("seconds", Math.Round(took.TotalSeconds, 3));
            if (TryJson(answer) is { } data)
            {
                json.WritePropertyName("data");
                json.WriteRawValue(data.Span);
            }
            else
            {
                json.WriteStartArray("lines");
                foreach (var line in answer.Lines)
                    json.WriteStringValue(line);
                json.WriteEndArray();
            }
        }
        json.WriteEndObject();
    }

    /// <summary>A body that is one JSON object, as commands with the prefix <c>json</c> give.</summary>
    private static ReadOnlyMemory<byte>? TryJson(NodeAnswer answer)
    {
        if (answer.Body.IsEmpty || answer.Body.Span[0] != (byte)'{')
            return null;
        try
        {
            using var document = JsonDocument.Parse(answer.Body);
            return answer.Body;
        }
        catch (JsonException)
        {
            return null;
        }
    }

    private static IEnumerable<string> Show(NodeAnswer answer)
    {
        foreach (var line in answer.Lines)
            yield return line;
        if (answer.Code != 0)
            yield return string.Create(CultureInfo.InvariantCulture, $"error {answer.Code}: {answer.Text}");
        else if (answer.Text.Length > 0)
            yield return answer.Text;
        else if (answer.Body.IsEmpty)
            yield return "ok";
    }

    private string Later(IReadOnlyList<string> pending) => pending is [var one] ? $"retrieve_node {one} {command}" : $"retrieve {command}";
}
