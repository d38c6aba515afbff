SELECT r.sampleId, r.disease, round(r.riskProbability, 3) AS risk, v.variantsCalled, e.geneId, round(e.expression, 1) AS expression
FROM riskScores r
JOIN (SELECT sampleId, count(*) AS variantsCalled FROM variantCalls WHERE conditionalQuality >= 20 GROUP BY sampleId) v
  ON v.sampleId = r.sampleId
JOIN (SELECT sampleId, geneId, avg(predictedExpression) AS expression FROM expressionPredictions GROUP BY sampleId, geneId) e
  ON e.sampleId = r.sampleId
WHERE r.sampleId = (SELECT min(sampleId) FROM variantCalls)
ORDER BY risk DESC, expression DESC, e.geneId
LIMIT 5
